"""The command lines: `mlx-server` for users, `manage.py` for Django's own commands.

Wrong configuration is one line on stderr and exit code 2, never a traceback.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from django.core.exceptions import ImproperlyConfigured

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

WRONG_USAGE = 2

# The word a user types, the Django command behind it, and what it is for.
COMMANDS = {
    "launch": ("runserver_mlx", "start the server"),
    "list": ("list_models", "the models of a running server, and their state"),
    "load": ("load_model", "load a model into a running server"),
    "unload": ("unload_model", "unload a model of a running server"),
    "models": ("library", "the models found on this machine"),
    "pull": ("pull_model", "download a model; without a name: what would fit here"),
    "import": ("import_gguf", "turn a GGUF file into a model"),
    "rm": ("remove_model", "delete a model from this machine"),
    "bench": ("bench", "measure how quick a server is, alone or against another"),
    "admin": ("admin_login", "how to log in to the admin; --reset sets a password"),
    "prune": ("prune_record", "delete what is past its retention, now"),
    "backfill": ("backfill_rollups", "make the sums of the charts anew from requests"),
    "migrate": ("migrate", "bring the database up to date"),
    "check": ("check", "look for mistakes in the configuration"),
}

HELP = """\
usage: mlx-server COMMAND [OPTIONS]

An OpenAI-compatible server for MLX models.

commands:
{commands}

  mlx-server COMMAND --help   the options of a command
  mlx-server --version        the versions of everything that answers
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run `mlx-server` and return its exit code."""
    word, *rest = list(sys.argv[1:] if argv is None else argv) or ["--help"]
    if word in {"-h", "--help", "help"}:
        return _say(_help_text())
    if word in {"-V", "--version", "version"}:
        from mlxsite.startup.versions import version_lines

        return _say("\n".join(version_lines()) + "\n")
    if word not in COMMANDS:
        return _refuse(f"unknown command {word!r}; one of {', '.join(COMMANDS)}")
    return _configured(lambda: _run_command(word, rest))


def manage(argv: Sequence[str]) -> int:
    """Run `manage.py` and return its exit code."""
    from django.core.management import execute_from_command_line

    return _configured(lambda: execute_from_command_line(list(argv)))


def _configured(run: Callable[[], None]) -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mlxsite.settings")
    import django

    try:
        django.setup()
        run()
    except ImproperlyConfigured as error:
        return _refuse(str(error))
    except KeyboardInterrupt:
        return 130
    return 0


def _run_command(word: str, rest: Sequence[str]) -> None:
    from django.core.management import ManagementUtility

    name, _ = COMMANDS[word]
    command = ManagementUtility(["mlx-server", name]).fetch_command(name)
    command.run_from_argv(["mlx-server", word, *rest])


def _help_text() -> str:
    width = max(map(len, COMMANDS))
    lines = (f"  {word:{width}}  {text}" for word, (_, text) in COMMANDS.items())
    return HELP.format(commands="\n".join(lines))


def _say(text: str) -> int:
    sys.stdout.write(text)
    return 0


def _refuse(message: str) -> int:
    sys.stderr.write(f"error: {' '.join(message.split())}\n")
    return WRONG_USAGE
