"""`mlx-server completion bash`: the script that has a shell complete its words."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

import httpx
from django.core.management.base import BaseCommand

from inference.client.address import AddressError
from inference.management.client_command import WRONG_USAGE, ClientCommand
from inference.management.server_options import server_address
from mlxsite.completion import SHELLS, script_for

if TYPE_CHECKING:
    from django.core.management.base import CommandParser

PATIENCE_S = 0.5
MOST_NAMES = 500
EXAMPLES = """\
examples:
  %(prog)s bash >> ~/.bash_completion
  %(prog)s zsh > "${fpath[1]}/_mlx-server"
  eval "$(%(prog)s bash)"                     for this shell alone

exit codes: 0 well, 2 wrong usage
"""


class Command(BaseCommand):
    """Prints a script; changes nothing."""

    help = "Print the script that has a shell complete commands, options and models."
    requires_system_checks = []
    suppressed_base_arguments = ClientCommand.suppressed_base_arguments

    def create_parser(
        self, prog_name: str, subcommand: str, **kwargs: Any
    ) -> CommandParser:
        """Keep the line breaks of the examples."""
        kwargs.setdefault("epilog", EXAMPLES)
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        return super().create_parser(prog_name, subcommand, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the shell."""
        parser.add_argument("shell", nargs="?", choices=SHELLS, help="which shell")
        # What the script asks when Tab is pressed; people have no use for it.
        parser.add_argument("--names", action="store_true", help=argparse.SUPPRESS)

    def handle(self, *args: Any, shell: str | None, **options: Any) -> None:
        """Print the script, or the names that it asks for."""
        if options["names"]:
            sys.stdout.writelines(f"{name}\n" for name in served_names())
        elif shell is None:
            self.stderr.write(f"error: name a shell: {' or '.join(SHELLS)}")
            sys.exit(WRONG_USAGE)
        else:
            self.stdout.write(script_for(shell))


def served_names() -> list[str]:
    """Return the models of the running server; none where it does not answer at once.

    Only names that a shell takes as they are.
    """
    try:
        address = server_address({})
        key = {"Authorization": f"Bearer {address.api_key}"} if address.api_key else {}
        url = f"{address.base_url}/models"
        answer = httpx.get(url, headers=key, timeout=PATIENCE_S, trust_env=False)
        names = [str(model["id"]) for model in answer.json()["data"]]
    except (AddressError, httpx.HTTPError, ValueError, LookupError, TypeError):
        return []
    return [name for name in names if _is_plain(name)][:MOST_NAMES]


def _is_plain(name: str) -> bool:
    return name.isascii() and all(char.isalnum() or char in "-_./:@+" for char in name)
