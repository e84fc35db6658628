"""A model's own processor: texts and images to tokens and pixels, for one at a time."""

from __future__ import annotations

import threading
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from inference.core.errors import InvalidImageError, InvalidRequestError
from inference.engine.vision.encoding import ABOUT_TEXT, Picture, PromptPictures
from inference.engine.vision.pictures import as_numpy
from inference.images.parts import at

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL import Image

    from inference.engine.vision.families import Family

_REASON_CHARS = 300
_GRID = "image_grid_thw"


class DecodedImage(NamedTuple):
    """A decoded image, the place it has in the request, and what names its content."""

    picture: Image.Image
    path: str
    key: str


class ImageProcessor:
    """Owns a processor of the library. Any thread may ask; one is served.

    `process` gives it a prompt's text and images. `example` is the text of a prompt
    that is nothing but one image.
    """

    def __init__(
        self,
        process: Callable[[str, list[Image.Image]], dict[str, Any]],
        *,
        family: Family,
        image_token: int | None,
        bos_token: int | None,
        example: str,
    ) -> None:
        self.images_most = family.images_most
        self._process = process
        self._family = family
        self._image_token = image_token
        self._bos_token = bos_token
        self._example = example
        self._lock = threading.Lock()

    def read(self, text: str, images: list[DecodedImage]) -> PromptPictures:
        """Return a prompt's tokens and what is to be encoded for it.

        Raises:
            InvalidImageError: an image is refused, naming its place.
            InvalidRequestError: the image tokens are not those of the images.
        """
        with self._lock:
            try:
                tokens, inputs = self._run(text, [image.picture for image in images])
            except Exception as error:
                raise self._blamed(images, error) from error
            if tokens and tokens[-1] == self._image_token:
                raise _mismatch("The prompt ends with an image.")
            if not self._family.keeps_features:
                return self._whole(tokens, inputs, len(images))
            return self._apart(tokens, inputs, images)

    def _whole(
        self, tokens: list[int], inputs: dict[str, Any], count: int
    ) -> PromptPictures:
        columns = self._columns(tokens)
        return PromptPictures(
            tokens, columns, (Picture("", len(columns), inputs),), count
        )

    def _apart(
        self, tokens: list[int], inputs: dict[str, Any], images: list[DecodedImage]
    ) -> PromptPictures:
        columns = self._columns(tokens)
        inputs = {name: inputs[name] for name in inputs.keys() - ABOUT_TEXT}
        if len(images) == 1:
            pictures = [Picture(images[0].key, len(columns), inputs)]
        elif isinstance(inputs.get(_GRID), np.ndarray):
            pictures = _split(inputs, len(columns), images)
        else:
            pictures = [self._alone(image) for image in images]
        expected = sum(picture.tokens for picture in pictures)
        if expected != len(columns) or not all(p.tokens for p in pictures):
            raise _mismatch(
                f"The prompt has places for {len(columns)} tokens of images, its"
                f" {len(images)} image(s) have {expected}."
            )
        return PromptPictures(tokens, columns, tuple(pictures), len(images))

    def _alone(self, image: DecodedImage) -> Picture:
        tokens, inputs = self._run(self._example, [image.picture])
        inputs = {name: inputs[name] for name in inputs.keys() - ABOUT_TEXT}
        return Picture(image.key, len(self._columns(tokens)), inputs)

    def _columns(self, tokens: list[int]) -> np.ndarray:
        return np.flatnonzero(np.asarray(tokens) == self._image_token)

    def _run(
        self, text: str, pictures: list[Image.Image]
    ) -> tuple[list[int], dict[str, Any]]:
        made = {
            name: as_numpy(value)
            for name, value in self._process(text, pictures).items()
            if value is not None
        }
        made.pop("attention_mask", None)
        tokens = [int(token) for token in np.asarray(made.pop("input_ids")).reshape(-1)]
        # A template has written the first token, and some processors do so again.
        while tokens[:2] == [self._bos_token] * 2:
            del tokens[0]
            for name in made.keys() & ABOUT_TEXT:
                made[name] = made[name][:, 1:]
        return tokens, made

    def _blamed(self, images: list[DecodedImage], error: Exception) -> Exception:
        """Return a refusal of the first image that cannot be read alone, if any."""
        for image in images:
            try:
                self._run(self._example, [image.picture])
            except Exception as alone:  # noqa: BLE001 -- processors raise what they like
                reason = " ".join(str(alone).split())[:_REASON_CHARS]
                return at(
                    image.path,
                    InvalidImageError(f"the model's processor refuses it: {reason}"),
                )
        return error


def _split(
    inputs: dict[str, Any], tokens: int, images: list[DecodedImage]
) -> list[Picture]:
    """Return the parts of each image where their patches lie one after the other."""
    patches = inputs[_GRID].prod(axis=1)
    ends = [0, *accumulate(int(count) for count in patches)]
    per_token = max(1, ends[-1] // max(1, tokens))
    pixels = inputs["pixel_values"]
    return [
        Picture(
            image.key,
            (end - start) // per_token,
            {"pixel_values": pixels[start:end], _GRID: inputs[_GRID][at : at + 1]},
        )
        for at, (image, (start, end)) in enumerate(
            zip(images, pairwise(ends), strict=True)
        )
    ]


def _mismatch(message: str) -> InvalidRequestError:
    return InvalidRequestError(message, param="messages", code="image_mismatch")
