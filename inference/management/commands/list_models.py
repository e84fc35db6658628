"""`mlx-server list`: the models of a running server, and their state."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from inference.client.screen.consoles import make_console
from inference.client.screen.tables import model_table
from inference.client.server import ServerClient
from inference.management.client_command import ClientCommand

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from inference.client.address import ServerAddress


class Command(ClientCommand):
    """Prints a table, or the answer as it came."""

    help = "List the models that a server knows, and what each of them does just now."
    examples = (
        "%(prog)s",
        "%(prog)s --json",
        "%(prog)s --base-url http://mac-studio.local:8000 --api-key s3cret",
    )

    def add_options(self, parser: ArgumentParser) -> None:
        """Declare `--json`."""
        parser.add_argument("--json", action="store_true", help="as JSON")

    def run(self, address: ServerAddress, options: dict[str, Any]) -> None:
        """Print what the server says."""
        models = ServerClient(address).models()
        if options["json"]:
            self.stdout.write(json.dumps(models, indent=2))
            return
        console = make_console()
        if models:
            console.print(model_table(models, console))
        else:
            console.print(f"{address.base_url} has no models.")
