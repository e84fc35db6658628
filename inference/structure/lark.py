"""Pieces of Lark as llguidance takes it."""

from __future__ import annotations

import json
import re

# What texts between tags are made of: no control characters but tabs and line ends.
ANY_TEXT = r"/[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*/"
SOME_TEXT = ANY_TEXT.replace("]*/", "]+/")


def quoted(text: str) -> str:
    """Return a text as a literal."""
    # A JSON string is a Lark string with the same escapes, but for DEL.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def regex(expression: str) -> str:
    """Return a regular expression as a terminal."""
    sound = re.sub(r"(\\.)|/", lambda found: found[1] or r"\/", expression, flags=re.S)
    return f"/{sound}/".replace("\n", r"\n").replace("\r", r"\r")


def without(text: str) -> str:
    """Return the terminal of all texts that do not hold `text`."""
    return "~" + regex(f"(?s:.*){_literally(text)}(?s:.*)")


def _literally(text: str) -> str:
    return re.sub(r"[\\.+*?()|\[\]{}^$#-]", lambda found: "\\" + found[0], text)
