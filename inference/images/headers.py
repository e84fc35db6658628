"""What an image is, from its first bytes: judged before anything is decoded."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from typing import TYPE_CHECKING

from inference.core.errors import ImageTooLargeError, InvalidImageError
from inference.core.images import ImageData
from inference.core.limits import DEFAULT_LIMITS, Limits
from inference.images import anatomy, boxes

if TYPE_CHECKING:
    from collections.abc import Callable

# By the names that Pillow has for them.
JPEG, PNG, WEBP, GIF = "JPEG", "PNG", "WEBP", "GIF"
BMP, AVIF, HEIF = "BMP", "AVIF", "HEIF"
_RASTERS: dict[str, Callable[[bytes, Limits], anatomy.Raster]] = {
    JPEG: anatomy.jpeg_raster,
    PNG: anatomy.png_raster,
    WEBP: anatomy.webp_raster,
    GIF: anatomy.gif_raster,
    BMP: boxes.bmp_raster,
    AVIF: boxes.avif_raster,
    HEIF: boxes.heic_raster,
}
MB = 1_000_000
FORMATS = "JPEG, PNG, WebP, GIF, BMP, AVIF or HEIC"
_BRANDS_BYTES = 256
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_HEIF_BRANDS = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
)


def format_of(data: bytes) -> str:
    """Return the format by its magic bytes, whatever a client called it.

    Raises:
        InvalidImageError: it is none of those that are read.
    """
    if data.startswith(b"\xff\xd8\xff"):
        return JPEG
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if data.startswith((b"GIF87a", b"GIF89a")):
        return GIF
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return WEBP
    if data.startswith(b"BM"):
        return BMP
    if data[4:8] == b"ftyp":
        return _by_brands(data)
    raise InvalidImageError(f"it is no {FORMATS} image.")


def _by_brands(data: bytes) -> str:
    end = min(int.from_bytes(data[:4], "big"), _BRANDS_BYTES)
    brands = {data[at : at + 4] for at in range(8, end, 4)}
    if brands & _AVIF_BRANDS:
        return AVIF
    if not brands & _HEIF_BRANDS:
        raise InvalidImageError(f"it is no {FORMATS} image.")
    if find_spec("pillow_heif") is None:
        raise InvalidImageError(
            "it is a HEIC image, which is read where the server has pillow-heif "
            "(pip install 'mlx-server[heif]'). Send it as a JPEG."
        )
    return HEIF


def to_image(
    data: bytes, *, detail: str = "auto", limits: Limits = DEFAULT_LIMITS
) -> ImageData:
    """Judge an image by its header; to be called in a thread.

    Raises:
        InvalidImageError: not of a format that is read, damaged, or built to be slow.
        ImageTooLargeError: more bytes, more pixels, a longer side or more memory to
            decode it than are allowed.
    """
    if len(data) > limits.image_bytes:
        raise ImageTooLargeError(f"it has more than {limits.image_bytes:,} bytes.")
    raster = _RASTERS[format_of(data)](data, limits)
    _refuse_large(raster, limits)
    return ImageData(
        data=data,
        sha256=hashlib.sha256(data).hexdigest(),
        width=raster.width,
        height=raster.height,
        detail=detail,
        decoded_pixels=raster.decoded_pixels,
        decoding_bytes=raster.decoding_bytes,
    )


def _refuse_large(raster: anatomy.Raster, limits: Limits) -> None:
    width, height = raster.width, raster.height
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
    if raster.decoding_bytes > limits.image_decoding_bytes:
        raise ImageTooLargeError(
            f"it is {width:,} by {height:,} pixels, and to decode them takes "
            f"{raster.decoding_bytes // MB:,} MB; the most is "
            f"{limits.image_decoding_bytes // MB:,} MB."
        )
