"""JSON values as one compressed column: the answer of a model repeats itself a lot.

A value a line: no single one of them holds the interpreter for long.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

# The quickest; its share of the room is small already.
_LEVEL = 1


def encoded(values: Iterable[Any]) -> bytes:
    """Return JSON values as lines of text."""
    return b"\n".join(map(msgspec.json.encode, values))


def packed(values: Iterable[Any]) -> bytes:
    """Return JSON values as bytes that `unpacked` takes."""
    return zlib.compress(encoded(values), _LEVEL)


def unpacked(column: bytes | memoryview) -> tuple[Any, ...]:
    """Return the values that were packed, in their order."""
    lines = zlib.decompress(column).split(b"\n")
    return tuple(msgspec.json.decode(line) for line in lines if line)
