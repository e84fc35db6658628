"""`mlx-server unload`: unload a model of a running server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inference.management.server_command import ServerCommand

if TYPE_CHECKING:
    from django.core.management.base import CommandParser

    from inference.client.server import ServerClient


class Command(ServerCommand):
    """Asks for the unload and waits for it."""

    help = "Unload a model of a running server, once its requests have ended."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        super().add_arguments(parser)
        parser.add_argument("key", metavar="KEY", help="the name clients use")
        parser.add_argument(
            "--force", action="store_true", help="end its running requests"
        )

    def run(self, server: ServerClient, options: dict[str, Any]) -> None:
        """Say what became of it."""
        model = server.unload(options["key"], force=options["force"])
        self.stdout.write(f"{model['id']} is {model['state']}")
