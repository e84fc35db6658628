"""`mlx-server ps`: the requests that a running server works on just now."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from inference.client.screen.consoles import make_console
from inference.client.screen.tables import request_table
from inference.client.server import ServerClient
from inference.management.client_command import ClientCommand

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from inference.client.address import ServerAddress


class Command(ClientCommand):
    """Prints a table, or the answer as it came."""

    help = "List the requests that a server works on, the oldest first."
    examples = ("%(prog)s", "%(prog)s --json", "watch %(prog)s")

    def add_options(self, parser: ArgumentParser) -> None:
        """Declare `--json`."""
        parser.add_argument("--json", action="store_true", help="as JSON")

    def run(self, address: ServerAddress, options: dict[str, Any]) -> None:
        """Print what the server says."""
        requests = ServerClient(address).running()
        if options["json"]:
            self.stdout.write(json.dumps(requests, indent=2))
            return
        console = make_console()
        if requests:
            console.print(request_table(requests, console))
        else:
            console.print("Nothing runs.")
