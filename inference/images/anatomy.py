"""How image files are built, as far as their size and their bounds go.

Written by hand, in front of the library that decodes: that one walks a file's
parts in Python without a bound (20 MB of empty parts: six seconds, 650 MB), and
decodes as many scans as a file has (100 kB: nine seconds). Each function here
returns width and height in pixels, takes a bounded number of steps, and copies
nothing.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from inference.core.errors import InvalidImageError

if TYPE_CHECKING:
    from inference.core.limits import Limits

Size = tuple[int, int]


def damaged() -> InvalidImageError:
    """The file is not built as its format wants it."""
    return InvalidImageError("the image is damaged or incomplete.")


class Steps:
    """Counts parts of a file, up to a bound."""

    def __init__(self, limit: int, what: str) -> None:
        self._limit = limit
        self._left = limit
        self._what = what

    def take(self) -> None:
        """Count one more.

        Raises:
            InvalidImageError: there are too many.
        """
        self._left -= 1
        if self._left < 0:
            raise InvalidImageError(
                f"the image has more than {self._limit:,} {self._what}."
            )


# --- PNG


def png_size(data: bytes, limits: Limits) -> Size:
    """Read IHDR, and count the chunks."""
    if data[12:16] != b"IHDR" or len(data) < 33:
        raise damaged()
    steps = Steps(limits.image_segments, "parts")
    position = 8
    while position + 8 <= len(data):
        steps.take()
        length, kind = struct.unpack_from(">I4s", data, position)
        if kind == b"IEND":
            break
        position += 12 + length
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


# --- JPEG

_STARTS_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset(range(0xD0, 0xD9))  # restarts, start of image
_START_OF_SCAN = 0xDA
_END_OF_IMAGE = 0xD9
_WITH_LENGTH = (
    _STARTS_OF_FRAME
    | {0xC4, 0xCC, _START_OF_SCAN, 0xDB, 0xDC, 0xDD, 0xFE}
    | frozenset(range(0xE0, 0xF0))
)
_MARKER_AFTER_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
# A search holds the interpreter's lock; this much takes under a millisecond.
_WINDOW_BYTES = 1 << 20


def jpeg_size(data: bytes, limits: Limits) -> Size:
    """Read the frame's header, and count segments and scans."""
    steps = Steps(limits.image_segments, "parts")
    scans = Steps(limits.image_scans, "scans")
    size = None
    position = 2
    while position + 1 < len(data):
        steps.take()
        marker = data[position + 1]
        if data[position] != 0xFF or marker in (0x00, 0xFF):
            position += 1  # Fill bytes, and what stands between segments.
            continue
        position += 2
        if marker == _END_OF_IMAGE:
            break
        if marker in _ALONE:
            continue
        end = _segment_end(data, marker, position)
        if marker in _STARTS_OF_FRAME:
            size = _frame_size(data, position, end, known=size)
        if marker == _START_OF_SCAN:
            scans.take()
            end = _scan_end(data, end)
        position = end
    if size is None:
        raise damaged()
    return size


def _segment_end(data: bytes, marker: int, position: int) -> int:
    if marker not in _WITH_LENGTH or position + 2 > len(data):
        raise damaged()
    (length,) = struct.unpack_from(">H", data, position)
    if length < 2:
        raise damaged()
    return position + int(length)


def _frame_size(data: bytes, position: int, end: int, *, known: Size | None) -> Size:
    if known is not None or end - position < 8 or end > len(data):
        raise damaged()
    height, width = struct.unpack_from(">HH", data, position + 3)
    return width, height


def _scan_end(data: bytes, position: int) -> int:
    """Return where the next marker stands that is not part of a scan's data."""
    while position < len(data):
        found = _MARKER_AFTER_SCAN.search(data, position, position + _WINDOW_BYTES)
        if found is not None:
            return found.start()
        position += _WINDOW_BYTES - 1  # A marker may lie across the edge.
    return len(data)


# --- GIF

_EXTENSION = 0x21
_FRAME = 0x2C
_TRAILER = 0x3B


def gif_size(data: bytes, limits: Limits) -> Size:
    """Read the screen's size and the first frame's, which may be larger."""
    if len(data) < 13:
        raise damaged()
    steps = Steps(limits.image_segments, "parts")
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    position = 13 + _palette_bytes(flags)
    while position + 10 <= len(data):
        steps.take()
        if data[position] == _FRAME:
            x, y, across, down = struct.unpack_from("<HHHH", data, position + 1)
            return max(width, x + across), max(height, y + down)
        if data[position] == _TRAILER:
            break
        if data[position] != _EXTENSION:
            position += 1  # Some writers end a block twice.
            continue
        position += 2
        while position < len(data) and data[position]:
            steps.take()
            position += 1 + data[position]
        position += 1
    raise damaged()


def _palette_bytes(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


# --- WebP


def webp_size(data: bytes, limits: Limits) -> Size:
    """Read the first chunk, which says the size of the whole, and count them."""
    if len(data) < 30:
        raise damaged()
    steps = Steps(limits.image_segments, "parts")
    position = 12
    while position + 8 <= len(data):
        steps.take()
        (length,) = struct.unpack_from("<I", data, position + 4)
        position += 8 + length + (length & 1)
    return _canvas_size(data)


def _canvas_size(data: bytes) -> Size:
    kind = data[12:16]
    if kind == b"VP8X":
        across, down = data[24:27], data[27:30]
        return (
            int.from_bytes(across, "little") + 1,
            int.from_bytes(down, "little") + 1,
        )
    if kind == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L" and data[20] == 0x2F:
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    raise damaged()
