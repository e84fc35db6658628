"""`mlx-server list`: the models of a running server, and their state."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from inference.management.server_command import ServerCommand, columns, megabytes

if TYPE_CHECKING:
    from django.core.management.base import CommandParser

    from inference.client.server import ServerClient

HEAD = ("MODEL", "STATE", "MEMORY", "CONTEXT", "CAN DO", "RUNNING", "WAITING")


class Command(ServerCommand):
    """Prints a table, or the answer as it came."""

    help = "List the models of a running server."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        super().add_arguments(parser)
        parser.add_argument("--json", action="store_true", help="as JSON")

    def run(self, server: ServerClient, options: dict[str, Any]) -> None:
        """Print what the server says."""
        models = server.models()
        if options["json"]:
            self.stdout.write(json.dumps(models, indent=2))
            return
        for line in columns([HEAD, *map(_row, models)]):
            self.stdout.write(line)
        for model in models:
            if model.get("error"):
                self.stdout.write(f"{model['id']}: {model['error']}")


def _row(model: dict[str, Any]) -> tuple[str, ...]:
    pinned = ", pinned" if model.get("pinned") else ""
    return (
        str(model["id"]),
        f"{model.get('state', '-')}{pinned}",
        megabytes(model.get("memory_bytes") or model.get("size_bytes")),
        str(model.get("context_length") or "-"),
        ", ".join(model.get("capabilities") or ()) or "-",
        str(model.get("active_requests", "-")),
        str(model.get("queue_size", "-")),
    )
