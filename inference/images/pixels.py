"""What Pillow does: an image's bytes to pixels, in this process, with little memory."""

from __future__ import annotations

import io
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING

from inference.core.errors import ImageTooLargeError
from inference.core.limits import DEFAULT_LIMITS, Limits
from inference.images.anatomy import OPAQUE_BYTES
from inference.images.scaling import draft_part

if TYPE_CHECKING:
    from PIL import Image

_WHITE = (255, 255, 255)
_ORIENTATION = 0x0112
# A file with odd metadata would fill the log with a line for each piece of it.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


def pixels_of(
    data: bytes, kind: str, max_side: int | None, limits: Limits = DEFAULT_LIMITS
) -> Image.Image:
    """Decode in this process, and raise whatever Pillow does.

    One name for all steps: each lets go of the raster before it.
    """
    from PIL import Image

    # Its own bound is less than a JPEG may have that is scaled down while decoding.
    Image.MAX_IMAGE_PIXELS = limits.image_pixels
    picture: Image.Image = Image.open(io.BytesIO(data), formats=(kind,))
    if max_side is not None:
        part = draft_part(picture.size, max_side)
        picture.draft(None, (picture.width // part or 1, picture.height // part or 1))
    _refuse_liars(picture, limits)
    picture.load()
    turn = _turn_of(picture)
    if picture.has_transparency_data:
        picture = _with_alpha(picture)
        picture = _on_white(picture)
    elif picture.mode in {"1", "P"}:
        # These would be scaled by leaving out pixels.
        picture = picture.convert("L" if picture.mode == "1" else "RGB")
    picture = _fitted(picture, max_side)
    if picture.mode.startswith("I"):
        picture = _to_eight_bits(picture)
    picture = picture.convert("RGB")
    return picture if turn is None else picture.transpose(turn)


def _refuse_liars(picture: Image.Image, limits: Limits) -> None:
    """Check again what Pillow makes of the header: two readers may differ."""
    taken = picture.width * picture.height * OPAQUE_BYTES
    if taken > limits.image_decoding_bytes:
        raise ImageTooLargeError("it has more pixels than its header says.")


def _turn_of(picture: Image.Image) -> Image.Transpose | None:
    """Return how the EXIF orientation wants it turned; a broken one: not at all."""
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    with suppress(Exception):
        return turns.get(picture.getexif().get(_ORIENTATION, 1))
    return None


def _with_alpha(picture: Image.Image) -> Image.Image:
    return picture if picture.mode in {"LA", "RGBA"} else picture.convert("RGBA")


def _on_white(picture: Image.Image) -> Image.Image:
    from PIL import Image

    ground = Image.new("RGB", picture.size, _WHITE)
    ground.paste(picture, mask=picture)
    return ground


def _to_eight_bits(picture: Image.Image) -> Image.Image:
    """Scale 16-bit grey: Pillow's own conversion may cut it off at 255."""
    import numpy as np
    from PIL import Image

    grey = np.asarray(picture).astype(np.uint32)
    scaled = (grey * 255 + 32_767) // 65_535
    return Image.fromarray(scaled.astype(np.uint8))


def _fitted(picture: Image.Image, max_side: int | None) -> Image.Image:
    from PIL import Image

    if max_side is not None and max(picture.size) > max_side:
        picture.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    return picture
