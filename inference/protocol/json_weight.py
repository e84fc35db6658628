"""How much work a large JSON body is to decode, found out without decoding it.

Looked at in pieces, so that others get the interpreter in between. Texts weigh
nothing: a picture of many megabytes is one of them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from inference.core.errors import InvalidRequestError
from inference.core.limits import KIB

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inference.core.limits import Limits

_PIECE_BYTES = 16 * KIB
# One of these stands before every key and value but the outermost.
_MARKS = (b",", b":", b"[", b"{")
# Outside of texts only numbers and literals are made of these.
_NUMBERS = re.compile(rb"[-+.0-9A-Za-z]+")


def check_weight(raw: bytes, *, limits: Limits) -> None:
    """Refuse more keys and values, or a longer number, than the limits say.

    Raises:
        InvalidRequestError: there are more; or one is longer.
    """
    elements = 0
    for bare in _outside_of_texts(raw):
        elements += sum(map(bare.count, _MARKS))
        if elements > limits.json_elements:
            raise _refusal(
                "has too many elements. Expected at most "
                f"{limits.json_elements} keys and values in all."
            )
        longest = max(map(len, _NUMBERS.findall(bare)), default=0)
        if longest > limits.json_number_chars:
            most = limits.json_number_chars
            raise _refusal(f"holds a number of more than {most} characters.")


def _outside_of_texts(raw: bytes) -> Iterator[bytes]:
    """Yield what stands between the texts, piece by piece."""
    at, is_within = 0, False
    while at < len(raw):
        piece = _with_whole_escapes(raw[at : at + _PIECE_BYTES])
        at += len(piece)
        if is_within and b'"' not in piece:
            continue
        parts = piece.replace(rb"\\", b"").replace(rb"\"", b"").split(b'"')
        yield b'"'.join(parts[is_within::2])
        is_within ^= len(parts) % 2 == 0


def _with_whole_escapes(piece: bytes) -> bytes:
    """Leave a last backslash to the next piece where it escapes what follows."""
    run = len(piece) - len(piece.rstrip(b"\\"))
    return piece[:-1] if run % 2 and len(piece) > 1 else piece


def _refusal(why: str) -> InvalidRequestError:
    message = f"The JSON body of your request {why}"
    return InvalidRequestError(message, code="invalid_json")
