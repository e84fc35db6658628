"""Arguments that are written as text, as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from inference.dialects.signatures import dumped
from inference.dialects.source import NotWrittenError

if TYPE_CHECKING:
    from inference.dialects.dialect import CallSink
    from inference.dialects.signatures import Signature
    from inference.dialects.source import Reading, Source


class TextArguments:
    """Turns parameters that are written as text into JSON, as they come.

    `begin`, `add` and `close` take one after the other, `end` ends the call.
    """

    def __init__(self, sink: CallSink, signature: Signature) -> None:
        self._sink = sink
        self._signature = signature
        self._names: set[str] = set()
        self._name = ""
        self._is_text: bool | None = None
        self._is_again = False
        self._pieces: list[str] = []
        self.are_written = False

    @property
    def are_some(self) -> bool:
        """Whether a parameter was written."""
        return bool(self._names) or self.are_written

    def begin(self, name: str, *, is_text: bool | None = None) -> None:
        """Begin a parameter; `is_text`: the model calls its value a string."""
        if name in self._names:
            if self._sink.holds_back:
                raise NotWrittenError(f"'{name}' was written twice")
            # A grammar cannot count names that are declared nowhere.
            self._is_again = True
            return
        self._sink.write(", " if self._names else "{")
        self._sink.write(f"{json.dumps(name, ensure_ascii=False)}: ")
        self._names.add(name)
        self._name, self._pieces = name, []
        # What is declared decides; only where nothing is, what the model said.
        declared = self._signature.declared(name)
        self._is_text = self._signature.is_text(name)
        if not declared and is_text:
            self._is_text = True
        if self._is_text:
            self._sink.write('"')

    def read_brackets(self, source: Source) -> Reading:
        """Read a list or an object to its last bracket, where a grammar holds it.

        What ends values may stand in its strings.
        """
        if self._sink.holds_back or self._is_text or self._is_again:
            return
        types = self._signature.types(self._name)
        if types is None or not types & {"array", "object"}:
            return
        if (yield from source.ahead("[", "{")):
            yield from source.json(self.add)

    def add(self, piece: str) -> None:
        """Take more of its value."""
        if self._is_again:
            return
        if self._is_text:
            self._sink.write(escaped(piece))
        else:
            self._pieces.append(piece)

    def close(self) -> None:
        """End it; what does not fit raises `NotWrittenError`."""
        if self._is_again:
            self._sink.warn(f"'{self._name}' was followed by one written twice")
            self._is_again = False
            return
        if self._is_text:
            self._sink.write('"')
        else:
            value = self._signature.value(self._name, "".join(self._pieces))
            self._sink.write(dumped(value))

    def end(self) -> None:
        """End the call."""
        if not self.are_some:
            self._sink.write("{")
        if not self.are_written:
            self._sink.write("}")
        self._sink.end()


def escaped(text: str) -> str:
    """Return text as it stands between the quotes of a JSON string."""
    return json.dumps(text, ensure_ascii=False)[1:-1]
