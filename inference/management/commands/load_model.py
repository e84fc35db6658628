"""`mlx-server load`: load a model into a running server, and show how far it is."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from inference.management.server_command import ServerCommand, megabytes

if TYPE_CHECKING:
    from django.core.management.base import CommandParser

    from inference.client.server import ServerClient

STAGES = {
    "downloading": "Downloading",
    "making_room": "Making room",
    "loading": "Loading",
}


class Command(ServerCommand):
    """Asks for the load and follows it."""

    help = "Load a model into a running server."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        super().add_arguments(parser)
        add = parser.add_argument
        add("model", metavar="NAME", help="hub id, name in the library, or folder")
        add("--key", default="", help="the name clients will use")
        add("--model-type", choices=("lm", "vlm"), default="", help="text or vision")
        add(
            "--pin",
            action=argparse.BooleanOptionalAction,
            help="never unload it to make room",
        )
        add("--ttl", type=float, metavar="S", help="unload it after S unused seconds")

    def run(self, server: ServerClient, options: dict[str, Any]) -> None:
        """Print each step, and the model at last."""
        said = {
            "key": options["key"] or None,
            "model_type": options["model_type"] or None,
            "pin": options["pin"],
            "ttl_s": options["ttl"],
        }
        last: dict[str, Any] = {}
        for last in server.load(
            options["model"], **{k: v for k, v in said.items() if v is not None}
        ):
            self._show(last)
        if last.get("object") == "model":
            self.stdout.write(
                f"{last['id']} is {last['state']}: "
                f"{megabytes(last.get('size_bytes'))}, context {last['context_length']}"
            )
            for note in last.get("notes") or ():
                self.stdout.write(f"note: {note}")

    def _show(self, event: dict[str, Any]) -> None:
        stage = STAGES.get(str(event.get("stage")))
        if stage is None:
            return
        line = f"{stage} {_amount(event)}".rstrip()
        if self.stdout.isatty():
            self.stdout.write(f"\r{line:60}", ending="")
            if event["stage"] == "loading" and _is_done(event):
                self.stdout.write("")
            self.stdout.flush()
        else:
            self.stdout.write(line)


def _amount(event: dict[str, Any]) -> str:
    done, total = event.get("done_bytes") or 0, event.get("total_bytes") or 0
    if not total:
        return ""
    return f"{megabytes(done)} of {megabytes(total)} ({100 * done // total} %)"


def _is_done(event: dict[str, Any]) -> bool:
    return bool(event.get("done_bytes") == event.get("total_bytes"))
