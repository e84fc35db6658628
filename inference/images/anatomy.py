"""How image files are built, as far as their size and their bounds go.

Written by hand, in front of the library that decodes: that one walks a file's
parts in Python without a bound (20 MB of empty parts: six seconds, 650 MB), and
decodes as many scans as a file has (100 kB: nine seconds). Each function here
returns what decoding the file comes to, takes a bounded number of steps, and
copies nothing.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, NamedTuple

from inference.core.errors import InvalidImageError
from inference.images.scaling import draft_pixels

if TYPE_CHECKING:
    from inference.core.limits import Limits

Size = tuple[int, int]

# Bytes of memory for a pixel until an image lies on white and is scaled, measured.
OPAQUE_BYTES = 6
TRANSPARENT_BYTES = 8
CODEC_BYTES = 16  # libwebp and libavif keep several rasters


class Raster(NamedTuple):
    """What decoding an image comes to: its size, its pixels decoded, and memory."""

    width: int
    height: int
    decoded_pixels: int
    decoding_bytes: int


def raster(size: Size, bytes_per_pixel: int) -> Raster:
    """Return what an image comes to that is decoded whole."""
    pixels = size[0] * size[1]
    return Raster(*size, pixels, pixels * bytes_per_pixel)


def damaged() -> InvalidImageError:
    """The file is not built as its format wants it."""
    return InvalidImageError("the image is damaged or incomplete.")


class Steps:
    """Counts parts of a file, up to a bound."""

    def __init__(self, limit: int, what: str) -> None:
        self._limit = limit
        self._left = limit
        self._what = what

    @property
    def taken(self) -> int:
        """How many were counted."""
        return self._limit - self._left

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


_PNG_WITH_ALPHA = frozenset({4, 6})


def png_raster(data: bytes, limits: Limits) -> Raster:
    """Read IHDR, and count the chunks."""
    if data[12:16] != b"IHDR" or len(data) < 33:
        raise damaged()
    steps = Steps(limits.image_segments, "parts")
    position = 8
    is_transparent = data[25] in _PNG_WITH_ALPHA
    while position + 8 <= len(data):
        steps.take()
        length, kind = struct.unpack_from(">I4s", data, position)
        is_transparent |= kind == b"tRNS"
        if kind == b"IEND":
            break
        position += 12 + length
    size = struct.unpack_from(">II", data, 16)
    return raster(size, TRANSPARENT_BYTES if is_transparent else OPAQUE_BYTES)


# --- JPEG

_STARTS_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_BASELINE = frozenset({0xC0, 0xC1, 0xC9})
_PROGRESSIVE = frozenset({0xC2, 0xCA})
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
_COEFFICIENT_BYTES = 2


class _Frame(NamedTuple):
    """A JPEG's frame; `samples` are those of all its components."""

    marker: int
    size: Size
    components: int
    samples: int


def jpeg_raster(data: bytes, limits: Limits) -> Raster:
    """Read the frame's header, and count segments and scans."""
    steps = Steps(limits.image_segments, "parts")
    scans = Steps(limits.image_scans, "scans")
    frame = None
    is_kept = False  # all coefficients are, until the last scan has been read
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
            frame = _frame(data, position, end, known=frame)
        if marker == _START_OF_SCAN:
            scans.take()
            is_kept |= _is_partial(data, position, frame)
            end = _scan_end(data, end)
        position = end
    if frame is None:
        raise damaged()
    _refuse_slow_scans(frame, scans.taken, limits)
    return _jpeg_raster(frame, is_kept=is_kept or frame.marker in _PROGRESSIVE)


def _jpeg_raster(frame: _Frame, *, is_kept: bool) -> Raster:
    """Return what a JPEG comes to, scaled down while decoding where it can be."""
    whole = frame.size[0] * frame.size[1]
    is_scaled = frame.marker in _BASELINE | _PROGRESSIVE
    pixels = draft_pixels(frame.size) if is_scaled else whole
    kept = frame.samples * _COEFFICIENT_BYTES if is_kept else 0
    return Raster(
        *frame.size, whole if is_kept else pixels, pixels * OPAQUE_BYTES + kept
    )


def _refuse_slow_scans(frame: _Frame, scans: int, limits: Limits) -> None:
    """Each scan goes over the whole image, whatever it holds."""
    scanned = scans * frame.size[0] * frame.size[1]
    if scans > 1 and scanned > limits.image_scanned_pixels:
        raise InvalidImageError(f"the image has {scans} scans, too many for its size.")


def _is_partial(data: bytes, position: int, frame: _Frame | None) -> bool:
    """Whether a scan has some components only."""
    if frame is None or position + 2 >= len(data):
        raise damaged()
    return data[position + 2] < frame.components


def _segment_end(data: bytes, marker: int, position: int) -> int:
    if marker not in _WITH_LENGTH or position + 2 > len(data):
        raise damaged()
    (length,) = struct.unpack_from(">H", data, position)
    if length < 2:
        raise damaged()
    return position + int(length)


def _frame(data: bytes, position: int, end: int, *, known: _Frame | None) -> _Frame:
    if known is not None or end - position < 8 or end > len(data):
        raise damaged()
    height, width, components = struct.unpack_from(">HHB", data, position + 3)
    if end - position < 8 + 3 * components or not components:
        raise damaged()
    factors = [
        (byte >> 4, byte & 15) for byte in data[position + 9 : end : 3][:components]
    ]
    across, down = (max(sides) for sides in zip(*factors, strict=True))
    if not across or not down:
        raise damaged()
    share = sum(x * y for x, y in factors)
    samples = -(-width // across) * -(-height // down) * share
    return _Frame(data[position - 1], (width, height), components, samples)


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


def gif_raster(data: bytes, limits: Limits) -> Raster:
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
            size = (max(width, x + across), max(height, y + down))
            return raster(size, TRANSPARENT_BYTES)
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


def webp_raster(data: bytes, limits: Limits) -> Raster:
    """Read the first chunk, which says the size of the whole, and count them."""
    if len(data) < 30:
        raise damaged()
    steps = Steps(limits.image_segments, "parts")
    position = 12
    while position + 8 <= len(data):
        steps.take()
        (length,) = struct.unpack_from("<I", data, position + 4)
        position += 8 + length + (length & 1)
    return raster(_canvas_size(data), CODEC_BYTES)


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
