"""What Tab offers in the shell: commands, model keys, files, names of parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prompt_toolkit.completion import Completer, Completion, PathCompleter
from prompt_toolkit.document import Document

from inference.client.parameters import USUAL
from inference.client.screen.words import one_line
from inference.client.shell.commands import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prompt_toolkit.completion import CompleteEvent

    from inference.client.shell.session import Session

NAMES_A_FILE = {"/image", "/save"}
OFFERED = {"/stream": ("on", "off"), "/system": ("clear",)}


class ShellCompleter(Completer):
    """Completes lines that begin with a slash; questions are left alone."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._files = PathCompleter(expanduser=True)

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterable[Completion]:
        """Yield what may stand at the cursor."""
        line = document.text_before_cursor
        if not line.startswith("/") or "\n" in line:
            return
        name, blank, argument = line.partition(" ")
        if not blank:
            yield from self._commands(name)
        elif name in NAMES_A_FILE:
            part = argument.rpartition(" ")[2]
            yield from self._files.get_completions(Document(part), complete_event)
        else:
            yield from self._arguments(name, argument)

    def _commands(self, begun: str) -> Iterable[Completion]:
        for command in COMMANDS.values():
            if command.name.startswith(begun):
                usage = f"{command.usage}: " if command.usage else ""
                yield Completion(
                    command.name + (" " if command.usage else ""),
                    start_position=-len(begun),
                    display=command.name,
                    display_meta=usage + command.purpose,
                )

    def _arguments(self, name: str, argument: str) -> Iterable[Completion]:
        if name == "/params":
            begun = argument.rpartition(" ")[2]
            offered: Iterable[str] = [f"{each}=" for each in USUAL] + ["clear"]
        elif " " in argument:
            return
        else:
            begun = argument.rpartition(",")[2] if name == "/compare" else argument
            offered = OFFERED.get(name) or self._keys(name)
        for each in offered:
            if each.lower().startswith(begun.lower()) and each != begun:
                yield Completion(each, start_position=-len(begun))

    def _keys(self, name: str) -> list[str]:
        """Return the models that a command may mean."""
        models = self._session.models
        if name == "/load":
            models = [model for model in models if model.get("state") != "ready"]
        elif name == "/unload":
            models = [model for model in models if model.get("state") != "unloaded"]
        elif name not in {"/model", "/compare"}:
            return []
        return [one_line(model["id"]) for model in models]
