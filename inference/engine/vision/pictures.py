"""From decoded images to what a model takes: the processor, and memory to hold it."""

from __future__ import annotations

import threading
from bisect import bisect_right
from typing import TYPE_CHECKING, Any

import mlx.core as mx
import numpy as np

from inference.core.errors import InvalidImageError, InvalidRequestError
from inference.core.images import USUAL_SIDE_MOST
from inference.engine.hardware.device import GIB
from inference.images.decoding import decoded
from inference.images.parts import at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from PIL import Image

    from inference.core.images import ImageData

# Larger images are scaled down before the model's own processor sees them.
SIDE_MOST = {"low": 512}
# Processors take thinner images for something else, or refuse them.
SIDE_LEAST = 8
RATIO_MOST = 100
PIXEL_BYTES_MOST = 1 * GIB
# Three colours of four bytes, which some models hold twice.
_BYTES_PER_PIXEL = 24
_BYTES_PER_PIXEL_DECODED = 4
# Some models scale every image up to about so many pixels.
_PIXELS_LEAST = 500_000
_CHECK_EVERY_S = 1.0


class PixelBudget:
    """How much memory images may take between their decoding and their encoding.

    Prompts beyond that are not prepared before others have been encoded.
    """

    def __init__(self, most_bytes: int = PIXEL_BYTES_MOST) -> None:
        self._most_bytes = most_bytes
        self._changed = threading.Condition()
        self.held_bytes = 0

    def take(self, count: int, *, is_wanted: Callable[[], bool]) -> bool:
        """Wait until there is room for `count` bytes; `False`: not wanted any more.

        What alone is larger than the budget gets it once all is free.
        """
        with self._changed:
            while self.held_bytes and self.held_bytes + count > self._most_bytes:
                if not is_wanted():
                    return False
                self._changed.wait(_CHECK_EVERY_S)
            self.held_bytes += count
            return True

    def give(self, count: int) -> None:
        """Give `count` bytes back."""
        with self._changed:
            self.held_bytes -= count
            self._changed.notify_all()


def opened(
    images: tuple[ImageData, ...], sides: list[int], paths: list[str]
) -> Iterator[Image.Image]:
    """Decode images one by one, scaled to `sides`; `paths` name their places.

    Raises:
        InvalidRequestError: one cannot be read, naming its place.
    """
    for image, side, path in zip(images, sides, paths, strict=True):
        try:
            picture = decoded(image, max_side=side)
        except InvalidRequestError as error:
            raise at(path, error) from None
        except MemoryError:
            refusal = InvalidImageError("it takes more memory than there is.")
            raise at(path, refusal) from None
        yield _usable(picture)


def sides_for(
    images: tuple[ImageData, ...], most_bytes: int = PIXEL_BYTES_MOST
) -> list[int]:
    """Return how many pixels each image may be high or wide.

    That goes by the detail asked for, and is less for the largest of them where
    all together would take more than `most_bytes`.
    """

    def sides(most: int) -> list[int]:
        return [min(most, SIDE_MOST.get(i.detail, USUAL_SIDE_MOST)) for i in images]

    fitting = bisect_right(
        range(1, USUAL_SIDE_MOST + 1),
        most_bytes,
        key=lambda most: bytes_for(images, sides(most)),
    )
    return sides(max(SIDE_LEAST, fitting))


def key_of(image: ImageData, side: int) -> str:
    """Return what names an image by its content and how it is scaled."""
    return f"{image.sha256}:{side}"


def bytes_for(images: tuple[ImageData, ...], sides: list[int]) -> int:
    """Return about how much memory images take between decoding and encoding."""
    pixels = (
        _pixels_of(image, side) for image, side in zip(images, sides, strict=True)
    )
    return sum(pixels) * _BYTES_PER_PIXEL


def peak_for(images: tuple[ImageData, ...], sides: list[int]) -> int:
    """Return about how much memory images take at most, from their bytes on.

    That is while the last of them is decoded and the others wait, or after that.
    """
    taken = bytes_for(images, sides)
    waiting = taken * _BYTES_PER_PIXEL_DECODED // _BYTES_PER_PIXEL
    return max(taken, waiting + max(image.decoding_bytes for image in images))


def as_numpy(value: Any) -> Any:
    """Return arrays as NumPy's, computed: MLX's stay on the thread that made them."""
    if isinstance(value, mx.array):
        if value.dtype == mx.bfloat16:
            value = value.astype(mx.float32)
        return np.array(value)
    if isinstance(value, list | tuple):
        return [as_numpy(one) for one in value]
    return value


def _pixels_of(image: ImageData, side: int) -> int:
    scale = min(1.0, side / max(image.width, image.height, 1))
    return max(int(image.width * image.height * scale * scale), _PIXELS_LEAST)


def _usable(picture: Image.Image) -> Image.Image:
    """Return an image whose sides are neither tiny nor of very different lengths."""
    longest = max(picture.size)
    least = max(SIDE_LEAST, -(-longest // RATIO_MOST))
    size = (max(picture.width, least), max(picture.height, least))
    return picture if size == picture.size else picture.resize(size)
