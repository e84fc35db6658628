"""From an image's bytes to pixels: in the worker, off the thread that computes.

The bytes were judged by `headers` before, which bounds what their decoding takes.
Pillow is imported by the first call.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from inference.core.errors import ImageTooLargeError
from inference.core.limits import DEFAULT_LIMITS, Limits
from inference.images import apart
from inference.images.anatomy import damaged
from inference.images.headers import AVIF, HEIF, format_of
from inference.images.pixels import pixels_of

if TYPE_CHECKING:
    from PIL import Image

    from inference.core.images import ImageData

# Their codecs hold themselves to no bound, and to what a header says least of all.
_APART = frozenset({AVIF, HEIF})
# A raster takes hundreds of megabytes until it is scaled down.
_one_at_a_time = threading.Lock()


def decoded(
    image: ImageData, *, max_side: int | None = None, limits: Limits = DEFAULT_LIMITS
) -> Image.Image:
    """Return an image as RGB pixels: upright, its first frame, on white.

    With `max_side`, neither side is longer than that many pixels; proportions
    are kept. Takes hundreds of megabytes for a while (`ImageData.decoding_bytes`),
    so a process decodes one image at a time, whoever asks.

    Raises:
        InvalidImageError: it is damaged or incomplete.
        ImageTooLargeError: it has more pixels than its header said.
    """
    kind = format_of(image.data)
    try:
        with _one_at_a_time:
            if kind in _APART:
                return apart.decoded(image.data, kind, max_side)
            return pixels_of(image.data, kind, max_side, limits)
    except (ImageTooLargeError, MemoryError):
        raise
    except Exception:  # noqa: BLE001 -- Pillow raises whatever a broken file leads to
        raise damaged() from None
