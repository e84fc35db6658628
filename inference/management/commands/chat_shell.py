"""`mlx-server shell`: a conversation with history, completion and commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inference.client.screen.consoles import has_terminal
from inference.management.chat_options import (
    add_asking_options,
    add_model_option,
    add_stream_option,
    conversation_of,
)
from inference.management.client_command import WRONG_USAGE, ClientCommand
from inference.management.shell_start import start_shell

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from inference.client.address import ServerAddress


class Command(ClientCommand):
    """Runs the shell."""

    help = (
        "Converse with models. In the shell, /help lists its commands; Enter sends,\n"
        "Alt-Enter begins a new line, Ctrl-C stops an answer, Ctrl-D leaves."
    )
    examples = (
        "%(prog)s",
        "%(prog)s --model big --system 'You are a patient teacher.'",
        "%(prog)s --base-url https://example.com/v1 --api-key s3cret",
    )

    def add_options(self, parser: ArgumentParser) -> None:
        """Declare how to ask."""
        add_model_option(parser)
        add_stream_option(parser)
        add_asking_options(parser)

    def run(self, address: ServerAddress, options: dict[str, Any]) -> None:
        """Run it until it is left."""
        if not has_terminal():
            self.leave(
                "the shell needs a terminal; `mlx-server chat` reads from a pipe",
                WRONG_USAGE,
            )
        start_shell(address, conversation_of(options))
