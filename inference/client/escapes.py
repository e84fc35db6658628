"""Text from outside, made harmless for a terminal: fed as it comes, in any pieces.

Escape sequences are left out whole, other control characters one by one, so that
what a model says can neither move the cursor nor rename the window.
"""

from __future__ import annotations

from enum import Enum

ESCAPE = "\x1b"
KEPT = "\n\t"
STRING_OPENERS = "]PX^_"  # OSC, DCS, SOS, PM, APC
STRING_C1 = "\x9d\x90\x98\x9e\x9f"
CSI_C1 = "\x9b"
REPLACEMENT = "\ufffd"


class _State(Enum):
    TEXT = "text"
    ESCAPED = "escaped"  # after ESC
    CONTROL = "control"  # in ESC [ ...
    STRING = "string"  # in ESC ] ...
    STRING_ESCAPED = "string_escaped"  # after ESC in a string: its end, perhaps


class TerminalText:
    """Reads one text; `feed` returns what of it may be shown.

    A string sequence that nobody ends is taken to end with its line, so that a
    broken one hides no more than that.
    """

    def __init__(self) -> None:
        self._state = _State.TEXT

    def feed(self, text: str) -> str:
        """Take a piece and return what is left of it."""
        if self._state is _State.TEXT and text.isprintable() and text.isascii():
            return text
        return "".join(filter(None, map(self._read, text)))

    def _read(self, char: str) -> str:
        match self._state:
            case _State.TEXT:
                return self._read_text(char)
            case _State.ESCAPED:
                return self._read_escaped(char)
            case _State.CONTROL:
                return self._read_control(char)
            case _State.STRING | _State.STRING_ESCAPED:
                return self._read_string(char)

    def _read_text(self, char: str) -> str:
        if char == ESCAPE:
            self._state = _State.ESCAPED
        elif char == CSI_C1:
            self._state = _State.CONTROL
        elif char in STRING_C1:
            self._state = _State.STRING
        elif char >= " " and not "\x7f" <= char <= "\x9f":
            return REPLACEMENT if "\ud800" <= char <= "\udfff" else char
        return char if char in KEPT else ""

    def _read_escaped(self, char: str) -> str:
        if char == "[":
            self._state = _State.CONTROL
        elif char in STRING_OPENERS:
            self._state = _State.STRING
        elif not " " <= char <= "/":  # an intermediate: the last one is to come
            self._state = _State.TEXT
            return char if char in KEPT else self._again(char)
        return ""

    def _read_control(self, char: str) -> str:
        if " " <= char <= "?":
            return ""
        self._state = _State.TEXT
        return "" if "@" <= char <= "~" else self._read_text(char)

    def _read_string(self, char: str) -> str:
        if char == "\n":
            self._state = _State.TEXT
            return char
        if char == "\a" or char == "\x9c":
            self._state = _State.TEXT
        elif self._state is _State.STRING_ESCAPED:
            self._state = _State.TEXT
            return "" if char == "\\" else self._read_escaped(char)
        elif char == ESCAPE:
            self._state = _State.STRING_ESCAPED
        return ""

    def _again(self, char: str) -> str:
        """Judge what follows an escape: its last character, or a new beginning."""
        return "" if "0" <= char <= "~" else self._read_text(char)


def harmless(text: str) -> str:
    """Return a whole text as a terminal may show it."""
    return TerminalText().feed(text)
