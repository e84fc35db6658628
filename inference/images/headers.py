"""What an image is, from its first bytes: judged before anything is decoded."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from inference.core.errors import ImageTooLargeError, InvalidImageError
from inference.core.images import ImageData
from inference.core.limits import DEFAULT_LIMITS, Limits
from inference.images import anatomy

if TYPE_CHECKING:
    from collections.abc import Callable

JPEG, PNG, WEBP, GIF = "JPEG", "PNG", "WEBP", "GIF"
_SIZES: dict[str, Callable[[bytes, Limits], tuple[int, int]]] = {
    JPEG: anatomy.jpeg_size,
    PNG: anatomy.png_size,
    WEBP: anatomy.webp_size,
    GIF: anatomy.gif_size,
}


def format_of(data: bytes) -> str:
    """Return the format by its magic bytes, whatever a client called it.

    Raises:
        InvalidImageError: it is none of the four.
    """
    if data.startswith(b"\xff\xd8\xff"):
        return JPEG
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if data.startswith((b"GIF87a", b"GIF89a")):
        return GIF
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return WEBP
    raise InvalidImageError("it is no JPEG, PNG, WebP or GIF image.")


def to_image(
    data: bytes, *, detail: str = "auto", limits: Limits = DEFAULT_LIMITS
) -> ImageData:
    """Judge an image by its header; to be called in a thread.

    Raises:
        InvalidImageError: not one of the four formats, damaged, or built to be slow.
        ImageTooLargeError: more bytes, more pixels or a longer side than are read.
    """
    if len(data) > limits.image_bytes:
        raise ImageTooLargeError(f"it has more than {limits.image_bytes:,} bytes.")
    width, height = _SIZES[format_of(data)](data, limits)
    if not width or not height:
        raise InvalidImageError("the image has no pixels.")
    if max(width, height) > limits.image_side:
        raise ImageTooLargeError(
            f"it is {width:,} by {height:,} pixels; a side may have "
            f"{limits.image_side:,}."
        )
    if width * height > limits.image_pixels:
        raise ImageTooLargeError(
            f"it is {width:,} by {height:,} pixels; together they may be "
            f"{limits.image_pixels:,}."
        )
    return ImageData(
        data=data,
        sha256=hashlib.sha256(data).hexdigest(),
        width=width,
        height=height,
        detail=detail,
    )
