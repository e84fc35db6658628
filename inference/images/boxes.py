"""How BMP, AVIF and HEIC files are built, as far as their size and bounds go.

As `anatomy`, for the formats that came later.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from inference.core.errors import InvalidImageError
from inference.images.anatomy import (
    CODEC_BYTES,
    OPAQUE_BYTES,
    TRANSPARENT_BYTES,
    Raster,
    Size,
    Steps,
    damaged,
    raster,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inference.core.limits import Limits

# --- BMP

_OLD_HEAD_BYTES = 12
_PACKED = frozenset({1, 2})


def bmp_raster(data: bytes, _limits: Limits) -> Raster:
    """Read the header."""
    if len(data) < 34:
        raise damaged()
    (head_bytes,) = struct.unpack_from("<I", data, 14)
    if head_bytes == _OLD_HEAD_BYTES:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
        packing = 0
    else:
        width, height, _, bits, packing = struct.unpack_from("<iiHHI", data, 18)
    if width < 0:
        raise damaged()
    if packing in _PACKED:
        # Pillow unpacks these in Python: seconds.
        raise InvalidImageError("it is a run-length encoded BMP, which is not read.")
    per_pixel = TRANSPARENT_BYTES if bits == 32 else OPAQUE_BYTES
    return raster((width, abs(height)), per_pixel)


# --- AVIF, HEIC: boxes within boxes

_WAY = (b"meta", b"iprp", b"ipco")
_VERSION_BYTES = 4
_Span = tuple[int, int]


def avif_raster(data: bytes, limits: Limits) -> Raster:
    """Read the sizes of the images within."""
    return raster(_largest(data, limits), CODEC_BYTES)


def heic_raster(data: bytes, limits: Limits) -> Raster:
    """Read the sizes of the images within, which are decoded tile by tile."""
    return raster(_largest(data, limits), TRANSPARENT_BYTES)


def _largest(data: bytes, limits: Limits) -> Size:
    """Read the sizes of all images within, and return the largest.

    What the codec then finds may differ: it decodes in a process apart.
    """
    steps = Steps(limits.image_segments, "parts")
    spans = [(0, len(data))]
    for kind in _WAY:
        spans = [
            (start + _VERSION_BYTES if kind == b"meta" else start, end)
            for span in spans
            for name, (start, end) in _boxes(data, span, steps)
            if name == kind
        ]
    sizes = [
        _image_size(data, inner)
        for span in spans
        for name, inner in _boxes(data, span, steps)
        if name == b"ispe"
    ]
    if not sizes:
        raise damaged()
    return max(sizes, key=lambda size: size[0] * size[1])


def _image_size(data: bytes, span: _Span) -> Size:
    start, end = span
    if end - start < _VERSION_BYTES + 8:
        raise damaged()
    width, height = struct.unpack_from(">II", data, start + _VERSION_BYTES)
    return width, height


def _boxes(data: bytes, span: _Span, steps: Steps) -> Iterator[tuple[bytes, _Span]]:
    """Yield each box within a span: its kind, and where its content lies."""
    position, end = span
    while position + 8 <= end:
        steps.take()
        length, kind = struct.unpack_from(">I4s", data, position)
        head = 8
        if length == 1 and position + 16 <= end:
            (length,) = struct.unpack_from(">Q", data, position + 8)
            head = 16
        if length == 0:
            length = end - position
        if length < head or position + length > end:
            raise damaged()
        yield kind, (position + head, position + length)
        position += length
