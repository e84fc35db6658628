"""Starts the shell: where its history is kept, and that it needs a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.conf import ServerConfig

if TYPE_CHECKING:
    from inference.client.address import ServerAddress
    from inference.client.conversation import Conversation

HISTORY = "shell_history"


def start_shell(address: ServerAddress, conversation: Conversation) -> None:
    """Run the shell until it is left.

    Raises:
        ServerError: nobody answers at the address, or not to this key.
    """
    # Half a second of imports that no other command needs.
    from inference.client.screen.consoles import make_console
    from inference.client.shell.loop import run_shell
    from inference.client.shell.session import Session

    session = Session(address, conversation, make_console())
    run_shell(session, ServerConfig.from_settings().data_dir / HISTORY)
