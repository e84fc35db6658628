"""`mlx-server doctor`: whether everything a start needs is well, and what to do."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand

from inference.conf import ServerConfig
from inference.management.client_command import FAILED, ClientCommand
from mlxsite.doctor.examination import examine, is_healthy
from mlxsite.doctor.report import write_report

if TYPE_CHECKING:
    from django.core.management.base import CommandParser

EXIT_CODES = "exit codes: 0 nothing is wrong, 1 something is, 2 wrong usage"


class Command(BaseCommand):
    """Looks, tells, and changes nothing."""

    help = (
        "Look at everything the server needs, and say what to do where it is not well."
    )
    requires_system_checks = []
    suppressed_base_arguments = ClientCommand.suppressed_base_arguments

    def create_parser(
        self, prog_name: str, subcommand: str, **kwargs: Any
    ) -> CommandParser:
        """Add the exit codes to the help."""
        kwargs.setdefault("epilog", EXIT_CODES)
        return super().create_parser(prog_name, subcommand, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare `--json`."""
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Examine; leave with 1 where something is wrong."""
        findings = examine(ServerConfig.from_settings())
        write_report(findings, sys.stdout, as_json=options["json"])
        if not is_healthy(findings):
            sys.exit(FAILED)
