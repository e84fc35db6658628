"""`mlx-server unload`: unload a model of a running server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inference.client.screen.consoles import (
    is_drawable,
    make_console,
)
from inference.client.screen.words import one_line
from inference.client.server import ServerClient
from inference.management.client_command import ClientCommand

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from inference.client.address import ServerAddress


class Command(ClientCommand):
    """Asks for the unload and waits for it."""

    help = "Unload a model of a running server, once its requests have ended."
    examples = ("%(prog)s big", "%(prog)s big --force")

    def add_options(self, parser: ArgumentParser) -> None:
        """Declare the key."""
        parser.add_argument("key", metavar="KEY", help="the name clients use")
        parser.add_argument(
            "--force", action="store_true", help="end its running requests"
        )

    def run(self, address: ServerAddress, options: dict[str, Any]) -> None:
        """Say what became of it."""
        console, server = make_console(), ServerClient(address)
        key, force = options["key"], options["force"]
        if is_drawable(console):
            with console.status("waiting for its requests to end"):
                model = server.unload(key, force=force)
        else:
            model = server.unload(key, force=force)
        console.print(f"{one_line(model['id'])} is {one_line(model['state'])}")
