"""What the commands that speak to a running server have in common."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand

from inference.client.server import ServerClient, ServerError
from inference.conf import ServerConfig

if TYPE_CHECKING:
    from django.core.management.base import CommandParser

REFUSED = 1
MB = 1_000_000


class ServerCommand(BaseCommand):
    """Speaks to the server that the settings name, or to another one."""

    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare where the server is."""
        config = ServerConfig.from_settings()
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(config.host, config.host)  # noqa: S104
        parser.add_argument(
            "--base-url",
            default=os.environ.get("OPENAI_BASE_URL")
            or f"http://{host}:{config.port}/v1",
            metavar="URL",
            help="where the server answers (%(default)s)",
        )
        parser.add_argument(
            "--api-key",
            # Not as a default: --help would show it.
            metavar="KEY",
            help="its key (MLX_API_KEY or OPENAI_API_KEY)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the command; what the server refuses is one line and exit code 1."""
        key = (
            options["api_key"]
            or os.environ.get("OPENAI_API_KEY")
            or ServerConfig.from_settings().api_key
        )
        try:
            self.run(ServerClient(options["base_url"], key), options)
        except ServerError as error:
            self.stderr.write(f"error: {error}")
            sys.exit(REFUSED)

    def run(self, server: ServerClient, options: dict[str, Any]) -> None:
        """Do what the command is for."""
        raise NotImplementedError


def megabytes(size_bytes: int | None) -> str:
    """Return a size in words; a dash where it is not known."""
    return f"{size_bytes / MB:,.0f} MB" if size_bytes else "-"


def columns(rows: list[tuple[str, ...]]) -> list[str]:
    """Return the rows as lines with their columns under each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]
