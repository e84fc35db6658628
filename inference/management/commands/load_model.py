"""`mlx-server load`: load a model into a running server, and show how far it is."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from inference.client.screen.consoles import make_console
from inference.client.screen.loads import loaded_in_words, show_load
from inference.client.server import ServerClient, as_the_server_finds_it
from inference.management.client_command import ClientCommand

if TYPE_CHECKING:
    from inference.client.address import ServerAddress


class Command(ClientCommand):
    """Asks for the load and follows it."""

    help = "Load a model into a running server; one of a hub is downloaded first."
    examples = (
        "%(prog)s mlx-community/Qwen3-4B-4bit",
        "%(prog)s ~/models/Qwen3-8B-4bit --key big --pin",
        "%(prog)s big --ttl 600",
    )

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Declare the model and how it is kept."""
        add = parser.add_argument
        add(
            "model",
            metavar="REPO|PATH",
            help="hub id, name in the library, or folder on the server's machine",
        )
        add("--key", default="", help="the name clients will use")
        add(
            "--model-type",
            choices=("lm", "vlm", "encoder"),
            default="",
            help="text, vision or embeddings",
        )
        add(
            "--pin",
            action=argparse.BooleanOptionalAction,
            help="never unload it to make room",
        )
        add("--ttl", type=float, metavar="S", help="unload it after S unused seconds")

    def run(self, address: ServerAddress, options: dict[str, Any]) -> None:
        """Show each step, and the model at last."""
        console = make_console()
        said = {
            "key": options["key"] or None,
            "model_type": options["model_type"] or None,
            "pin": options["pin"],
            "ttl_s": options["ttl"],
        }
        events = ServerClient(address).load(
            as_the_server_finds_it(options["model"], address),
            **{k: v for k, v in said.items() if v is not None},
        )
        if model := show_load(events, console):
            for line in loaded_in_words(model):
                console.print(line)
