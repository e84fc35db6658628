"""Completion for shells: one parser of all commands, and what stands for their words.

shtab writes the script from the real parsers, so that an option is completed as soon
as a command has it. Names of models are asked from the running server when Tab is
pressed, for half a second at the most.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import shtab
from django.core.management import ManagementUtility

from inference.management.client_command import ClientCommand
from mlxsite.cli import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = "mlx-server"
SHELLS = ("bash", "zsh")
# Django's own, which say nothing to who serves a model.
HIDDEN = ClientCommand.suppressed_base_arguments
# How commands call the model of a server that they are about.
SERVED = {"--model", "--models", "key", "model", "models"}
FILES = {"--prompt-file", "--json", "--image", "file", "gguf", "source"}
FOLDERS = {"--model-path"}

PREAMBLE = {
    "bash": f"""
_mlx_served_models() {{
  compgen -W "$({PROGRAM} completion --names 2>/dev/null)" -- "$1"
}}
""",
    "zsh": f"""
_mlx_served_models() {{
  compadd -- ${{(f)"$({PROGRAM} completion --names 2>/dev/null)"}}
}}
""",
}
NAMES = {"bash": "_mlx_served_models", "zsh": "_mlx_served_models"}


def script_for(shell: str) -> str:
    """Return the script that has `shell` complete the words of mlx-server."""
    preamble = PREAMBLE[shell]
    return str(
        shtab.complete(
            parser_of_all(), shell, root_prefix="mlx_server", preamble=preamble
        )
    )


def parser_of_all() -> argparse.ArgumentParser:
    """Return one parser with every command as a part of it."""
    parser = argparse.ArgumentParser(PROGRAM)
    parser.add_argument("--version", action="store_true", help="show all versions")
    commands = parser.add_subparsers(dest="command")
    utility = ManagementUtility([PROGRAM])
    for word, (name, text) in COMMANDS.items():
        own = utility.fetch_command(name).create_parser(PROGRAM, word)
        part = commands.add_parser(word, help=text, description=text, add_help=False)
        for action in _shown(own):
            part._add_action(action)  # noqa: SLF001 -- argparse has no other way
    return parser


def _shown(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield the arguments that people are told about, with what completes them."""
    for action in parser._actions:  # noqa: SLF001 -- as shtab itself reads them
        if action.help == argparse.SUPPRESS or HIDDEN & set(action.option_strings):
            continue
        if not hasattr(action, "complete"):
            _choose_words(action)
        yield action


def _choose_words(action: argparse.Action) -> None:
    """Say what completes the word after an option, or a word of its own."""
    if action.nargs == 0 or action.choices:
        return
    called = set(action.option_strings) or {action.dest}
    if called & SERVED:
        action.complete = NAMES  # type: ignore[attr-defined]
    elif called & FILES:
        action.complete = shtab.FILE  # type: ignore[attr-defined]
    elif called & FOLDERS:
        action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
