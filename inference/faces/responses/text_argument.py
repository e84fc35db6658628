"""A custom tool's text, read from the JSON arguments of its call as they come."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from inference.protocol.response_tools import INPUT

_BEGINNING = re.compile(r'\s*\{\s*"' + INPUT + r'"\s*:\s*"')
# What stands for itself, and escapes; half a pair of surrogates waits for the other.
_PIECES = re.compile(
    r'(?:[^"\\]++|\\["\\/bfnrt]|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}'
    r"|\\u(?![dD][89a-fA-F])[0-9a-fA-F]{4})+"
)


class TextArgument:
    """Reads `{"input": "..."}`, fed piece by piece, and hands the text out.

    What turns out to be something else is the text itself, at the end.
    """

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._rest = ""
        self._is_within = False
        self._told: list[str] = []

    def feed(self, piece: str) -> str:
        """Return what of the text became readable."""
        self._pieces.append(piece)
        self._rest += piece
        if not self._is_within:
            begun = _BEGINNING.match(self._rest)
            if begun is None:
                return ""
            self._rest, self._is_within = self._rest[begun.end() :], True
        found = _PIECES.match(self._rest)
        if found is None:
            return ""
        self._rest = self._rest[found.end() :]
        return self._tell(_unquoted(found.group()))

    def flush(self) -> str:
        """Return the rest of the text, once no more comes."""
        told = self.text
        text = _text_of("".join(self._pieces), told)
        return self._tell(text[len(told) :]) if text.startswith(told) else ""

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self._told)

    def _tell(self, text: str) -> str:
        if text:
            self._told.append(text)
        return text


def _text_of(arguments: str, told: str) -> str:
    """Return the text of whole arguments; of others, what was read, or themselves."""
    try:
        read: Any = msgspec.json.decode(arguments)
    except msgspec.DecodeError:
        return told or arguments
    text = read.get(INPUT) if isinstance(read, dict) else None
    return text if isinstance(text, str) else told or arguments


def _unquoted(piece: str) -> str:
    """Return what a piece within a JSON string says; control characters as they are."""
    escaped = re.sub(r"[\x00-\x1f]", lambda found: f"\\u{ord(found[0]):04x}", piece)
    return msgspec.json.decode(f'"{escaped}"', type=str)
