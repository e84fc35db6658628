"""The command lines: `mlx-server` for users, `manage.py` for Django's own commands.

Wrong configuration is one line on stderr and exit code 2, never a traceback.
"""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING

from django.core.exceptions import ImproperlyConfigured

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# As the user has it: the settings add what stands in `.env`, keys and passwords too.
USERS_ENVIRONMENT = dict(os.environ)
WRONG_USAGE = 2
INTERRUPTED = 130

# The word a user types, the Django command behind it, and what it is for.
COMMANDS = {
    "launch": ("runserver_mlx", "start the server"),
    "list": ("list_models", "the models of a running server, and their state"),
    "load": ("load_model", "load a model into a running server"),
    "unload": ("unload_model", "unload a model of a running server"),
    "ps": ("running_requests", "the requests that a server is working on"),
    "chat": ("chat", "ask a model a question, or chat with it"),
    "shell": ("chat_shell", "chat with models: history, completion, Markdown"),
    "compare": ("compare_models", "one question to several models, side by side"),
    "connect": ("connect", "set an agent or editor up for a server, or undo it"),
    "models": ("library", "the models found on this machine"),
    "pull": ("pull_model", "download a model; without a name: what would fit here"),
    "import": ("import_gguf", "turn a GGUF file into a model"),
    "rm": ("remove_model", "delete a model from this machine"),
    "bench": ("bench", "benchmark a server, alone or against another"),
    "doctor": ("doctor", "check all that a start needs, and how to fix it"),
    "admin": ("admin_login", "how to log in to the admin; --reset sets a password"),
    "prune": ("prune_record", "delete what is past its retention"),
    "backfill": ("backfill_rollups", "rebuild the charts' sums from the requests"),
    "end-lost": ("end_lost", "end the requests of lost servers"),
    "migrate": ("migrate", "apply database migrations"),
    "check": ("check", "check the configuration"),
    "completion": ("completion", "print the completion script of a shell"),
}

# How --help sorts them; a command in no group stands in the last one.
GROUPS = {
    "serve": ("launch", "doctor", "check", "admin"),
    "talk to a server": ("chat", "shell", "compare", "connect", "bench"),
    "models of a running server": ("list", "ps", "load", "unload"),
    "models on this machine": ("models", "pull", "import", "rm"),
    "upkeep": (),
}

HELP = """\
usage: mlx-server COMMAND [OPTIONS]

An OpenAI-compatible server for MLX models.
{commands}

examples:
  mlx-server launch                          serve the built-in model
  mlx-server launch --model-path mlx-community/Qwen3-4B-4bit --port 9000
  mlx-server bench SmolLM2-135M-Instruct     how fast it is
  mlx-server doctor                          why it does not start

  mlx-server COMMAND --help   the options of a command
  mlx-server --version        the versions of everything that answers

exit codes: 0 success, 1 failed, 2 wrong usage or configuration, 130 Ctrl-C
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run `mlx-server` and return its exit code."""
    _survive_encodings()
    word, *rest = list(sys.argv[1:] if argv is None else argv) or ["--help"]
    if word in {"-h", "--help", "help"}:
        return _say(_help_text())
    if word in {"-V", "--version", "version"}:
        from mlxsite.startup.versions import version_lines

        return _say("\n".join(version_lines()) + "\n")
    if word not in COMMANDS:
        return _refuse(f"unknown command {word!r}; one of {', '.join(COMMANDS)}")
    if word == "doctor":
        return _configured(lambda: _run_command(word, rest), _examine_without_settings)
    return _configured(lambda: _run_command(word, rest))


def manage(argv: Sequence[str]) -> int:
    """Run `manage.py` and return its exit code."""
    from django.core.management import execute_from_command_line

    return _configured(lambda: execute_from_command_line(list(argv)))


def _configured(
    run: Callable[[], None], otherwise: Callable[[str], int] | None = None
) -> int:
    """Run with the settings; what is wrong with them goes to `otherwise`."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mlxsite.settings")
    import django

    try:
        django.setup()
        run()
    except ImproperlyConfigured as error:
        return (otherwise or _refuse)(str(error))
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _run_command(word: str, rest: Sequence[str]) -> None:
    from django.core.management import ManagementUtility

    name, _ = COMMANDS[word]
    command = ManagementUtility(["mlx-server", name]).fetch_command(name)
    command.run_from_argv(["mlx-server", word, *rest])


def _examine_without_settings(problem: str) -> int:
    """Say what ails the settings among all else, instead of that alone."""
    from mlxsite.doctor.examination import examine
    from mlxsite.doctor.report import write_report

    write_report(
        examine(None, problem=problem), sys.stdout, as_json="--json" in sys.argv
    )
    return 1


def _help_text() -> str:
    width = max(map(len, COMMANDS))
    lines = []
    for title, words in grouped_commands().items():
        lines += ["", f"{title}:"]
        lines += [f"  {word:{width}}  {COMMANDS[word][1]}" for word in words]
    return HELP.format(commands="\n".join(lines))


def grouped_commands() -> dict[str, list[str]]:
    """Return the words of all commands by group, each once."""
    grouped = {
        title: [word for word in words if word in COMMANDS]
        for title, words in GROUPS.items()
    }
    named = {word for words in grouped.values() for word in words}
    grouped[list(GROUPS)[-1]] += [word for word in COMMANDS if word not in named]
    return grouped


def _survive_encodings() -> None:
    """Have what a terminal cannot show be a question mark, and not an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _say(text: str) -> int:
    sys.stdout.write(text)
    return 0


def _refuse(message: str) -> int:
    sys.stderr.write(f"error: {' '.join(message.split())}\n")
    return WRONG_USAGE
