"""The shell itself: a line is read, and it is a command or a question."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.client.faults import NoEntryError, ServerError
from inference.client.screen.words import one_line
from inference.client.shell.commands import LeaveShell, run_command
from inference.client.shell.line import make_line

if TYPE_CHECKING:
    from pathlib import Path

    from inference.client.shell.session import Session

WELCOME = "/help lists the commands. Alt-Enter begins a new line, Ctrl-D leaves."


def run_shell(session: Session, history_file: Path) -> None:
    """Converse until /quit or Ctrl-D.

    Raises:
        ServerError: nobody answers at the address, or not to this key.
    """
    _begin(session)
    line = make_line(session, history_file)
    model = session.conversation.model or "the server's choice"
    session.say(f"{one_line(model)} at {session.address.base_url}", "name")
    session.say(f"{WELCOME}\n", "quiet")
    while True:
        try:
            text = line.prompt()
            _take(session, text)
        except KeyboardInterrupt:
            # What was typed is dropped, or a command was stopped.
            continue
        except (EOFError, LeaveShell):
            return


def _begin(session: Session) -> None:
    """See which models there are; a server that does not say may still answer.

    Raises:
        ServerError: nobody answers at the address, or not to this key.
    """
    try:
        session.look()
    except NoEntryError:
        raise
    except ServerError as error:
        session.say(f"Its models are not known: {one_line(error)}", "quiet")
    session.choose_model()


def _take(session: Session, text: str) -> None:
    if text.startswith("/"):
        run_command(session, text)
    elif text.strip() or session.conversation.pictures:
        session.answer(text.strip())
