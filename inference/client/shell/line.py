"""The line that is typed: history, keys, completion, and what stands below it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prompt_toolkit import PromptSession
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import completion_is_selected, has_focus
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.styles import Style

from inference.client.conversation import pictures_in_words
from inference.client.screen.words import one_line
from inference.client.shell.completion import ShellCompleter

if TYPE_CHECKING:
    from pathlib import Path

    from prompt_toolkit.key_binding import KeyPressEvent

    from inference.client.shell.session import Session

PROMPT = "> "
STYLE = Style.from_dict(
    {"bottom-toolbar": "noreverse ansibrightblack", "prompt": "bold"}
)


def make_line(session: Session, history_file: Path) -> PromptSession[str]:
    """Return what reads the shell's lines."""
    return PromptSession(
        FormattedText([("class:prompt", PROMPT)]),
        history=_history(history_file),
        completer=ShellCompleter(session),
        complete_while_typing=True,
        key_bindings=_keys(),
        multiline=True,
        prompt_continuation=" " * len(PROMPT),
        bottom_toolbar=lambda: FormattedText([("", _status(session))]),
        style=STYLE,
        reserve_space_for_menu=6,
    )


def _history(file: Path) -> History:
    """Return the history of a file that is the user's alone; else one in memory."""
    try:
        file.touch(mode=0o600)
        with file.open("ab"):
            return FileHistory(str(file))
    except OSError:
        return InMemoryHistory()


def _keys() -> KeyBindings:
    keys = KeyBindings()
    # Ctrl-R has a line of its own, with keys of its own.
    on_line = has_focus(DEFAULT_BUFFER)

    @keys.add("escape", "enter", filter=on_line)
    def _begin_line(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    @keys.add("enter", filter=on_line & completion_is_selected)
    def _take_completion(event: KeyPressEvent) -> None:
        event.current_buffer.complete_state = None

    @keys.add("enter", filter=on_line & ~completion_is_selected)
    def _send(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.document.text_before_cursor.endswith("\\"):
            buffer.delete_before_cursor()
            buffer.insert_text("\n")
        else:
            buffer.validate_and_handle()

    return keys


def _status(session: Session) -> str:
    """Say with whom one speaks, and what is unusual."""
    conversation = session.conversation
    parts = [one_line(conversation.model) or "the server chooses the model"]
    if turns := len(conversation.turns) // 2:
        parts.append("1 answer" if turns == 1 else f"{turns} answers")
    if conversation.pictures:
        parts.append(pictures_in_words(len(conversation.pictures)))
    if conversation.system:
        parts.append("system prompt")
    if not conversation.stream:
        parts.append("not streamed")
    return ", ".join(parts)
