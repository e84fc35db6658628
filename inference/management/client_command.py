"""What all commands that are clients of a server have in common.

Exit codes: 0 well, 1 the server or a model refused or failed, 2 wrong usage,
130 Ctrl-C. What went wrong is one line on stderr.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any, NoReturn

from django.core.management.base import BaseCommand, DjangoHelpFormatter

from inference.client.address import AddressError, ServerAddress
from inference.client.server import ServerError
from inference.library.words import printable
from inference.management.server_options import add_server_options, server_address

if TYPE_CHECKING:
    from django.core.management.base import CommandParser

FAILED, WRONG_USAGE, INTERRUPTED = 1, 2, 130

EXIT_CODES = (
    "exit codes: 0 well, 1 the server or a model refused or failed, "
    "2 wrong usage, 130 Ctrl-C"
)


class _HelpFormatter(DjangoHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Leaves the lines of description and examples as they are."""


class ClientCommand(BaseCommand):
    """A command that speaks to a server.

    `examples` are shown by `--help`, one command line each; `%(prog)s` is the
    command as it was called.
    """

    requires_system_checks = []
    # Django's own, which say nothing to who talks to a model.
    suppressed_base_arguments = {
        *("--version", "-v", "--verbosity", "--settings", "--pythonpath"),
        *("--traceback", "--no-color", "--force-color", "--skip-checks"),
    }
    examples: tuple[str, ...] = ()

    def create_parser(
        self, prog_name: str, subcommand: str, **kwargs: Any
    ) -> CommandParser:
        """Add the examples and exit codes to the help."""
        lines = ["examples:", *(f"  {line}" for line in self.examples), "", EXIT_CODES]
        kwargs.setdefault("formatter_class", _HelpFormatter)
        kwargs.setdefault("epilog", "\n".join(lines))
        return super().create_parser(prog_name, subcommand, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the command's own options, then where the server is."""
        self.add_options(parser)
        add_server_options(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the command; what goes wrong is one line and an exit code."""
        try:
            self.run(server_address(options), options)
        except AddressError as error:
            self.leave(str(error), WRONG_USAGE)
        except ServerError as error:
            self.leave(str(error), FAILED)

    def leave(self, message: str, code: int) -> NoReturn:
        """End the command with one line on stderr."""
        self.stderr.write(f"error: {printable(' '.join(message.split()))}")
        sys.exit(code)

    def add_options(self, parser: CommandParser) -> None:
        """Declare what only this command takes."""

    def run(self, address: ServerAddress, options: dict[str, Any]) -> None:
        """Do what the command is for."""
        raise NotImplementedError
