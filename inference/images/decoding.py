"""From an image's bytes to pixels: in the worker, off the thread that computes.

The bytes were judged by `headers` before, which bounds what their decoding takes.
Pillow is imported by the first call.
"""

from __future__ import annotations

import io
import threading
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING

from inference.core.errors import ImageTooLargeError
from inference.core.limits import DEFAULT_LIMITS, Limits
from inference.images.anatomy import damaged
from inference.images.headers import format_of

if TYPE_CHECKING:
    from PIL import Image

    from inference.core.images import ImageData

# A JPEG may be decoded at a half, a quarter or an eighth of its size; never at
# less than this many times what is wanted.
_SPARE = 2.0
_WHITE = (255, 255, 255, 255)
# A raster takes hundreds of megabytes until it is scaled down.
_one_at_a_time = threading.Lock()
# A file with odd metadata would fill the log with a line for each piece of it.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


def decoded(
    image: ImageData, *, max_side: int | None = None, limits: Limits = DEFAULT_LIMITS
) -> Image.Image:
    """Return an image as RGB pixels: upright, its first frame, on white.

    With `max_side`, neither side is longer than that many pixels; proportions
    are kept. Takes up to 12 bytes of memory per pixel of the file for a while, so
    a process decodes one image at a time, whoever asks.

    Raises:
        InvalidImageError: it is damaged or incomplete.
        ImageTooLargeError: it has more pixels than its header said.
    """
    from PIL import Image

    kind = format_of(image.data)
    try:
        with (
            _one_at_a_time,
            Image.open(io.BytesIO(image.data), formats=(kind,)) as picture,
        ):
            _refuse_liars(picture, limits)
            if max_side is not None:
                picture.draft(None, _draft_size(picture.size, max_side))
            picture.load()
            _turn_upright(picture)
            return _fitted(_on_white(picture), max_side)
    except (ImageTooLargeError, MemoryError):
        raise
    except Exception:  # noqa: BLE001 -- Pillow raises whatever a broken file leads to
        raise damaged() from None


def _refuse_liars(picture: Image.Image, limits: Limits) -> None:
    """Check again what Pillow makes of the header: two readers may differ."""
    if picture.width * picture.height > limits.image_pixels:
        raise ImageTooLargeError("it has more pixels than its header says.")


def _turn_upright(picture: Image.Image) -> None:
    """Turn an image as its EXIF orientation says; a broken one turns nothing."""
    from PIL import ImageOps

    with suppress(Exception):
        ImageOps.exif_transpose(picture, in_place=True)


def _on_white(picture: Image.Image) -> Image.Image:
    from PIL import Image

    if picture.mode.startswith("I"):
        picture = _to_eight_bits(picture)
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    picture = picture.convert("RGBA")
    ground = Image.new("RGBA", picture.size, _WHITE)
    ground.alpha_composite(picture)
    return ground.convert("RGB")


def _to_eight_bits(picture: Image.Image) -> Image.Image:
    """Scale 16-bit grey: Pillow's own conversion may cut it off at 255."""
    import numpy as np
    from PIL import Image

    grey = np.asarray(picture).astype(np.uint32)
    scaled = (grey * 255 + 32_767) // 65_535
    return Image.fromarray(scaled.astype(np.uint8))


def _draft_size(size: tuple[int, int], max_side: int) -> tuple[int, int]:
    scale = min(1.0, max_side * _SPARE / max(size))
    return max(1, int(size[0] * scale)), max(1, int(size[1] * scale))


def _fitted(picture: Image.Image, max_side: int | None) -> Image.Image:
    from PIL import Image

    if max_side is not None and max(picture.size) > max_side:
        picture.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    return picture
