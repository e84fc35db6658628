"""Images on their way from pixels to what the language model reads, on the MLX thread.

Between two images the loop decodes a step: rows that are answering wait for one
image at a time, and for none that was asked about before.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import mlx.core as mx
import numpy as np

from inference.engine.caches.features import FeatureCache, ImageFeatures
from inference.engine.caches.row_places import PromptImages
from inference.engine.vision.families import image_token_of

if TYPE_CHECKING:
    from inference.engine.sequences.sequence import SequenceGroup
    from inference.engine.vision.families import Family

# What processors say about the text; the rest is about images.
ABOUT_TEXT = frozenset(("token_type_ids", "mm_token_type_ids"))


@dataclass(slots=True, eq=False)
class Picture:
    """What the processor made of one image, or of all images of a prompt.

    `key` names the image by its content and how it was scaled; it is empty where
    what was made of it depends on the prompt. `tokens` is how many stand for it.
    `inputs` are arguments of the model and are let go once it is encoded.
    """

    key: str
    tokens: int
    inputs: dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class PromptPictures:
    """The images of a prompt as prepared, in the order of their tokens.

    `columns` are the places of those tokens among the prompt's `tokens`; `count` is
    how many images there are.
    """

    tokens: list[int]
    columns: np.ndarray
    pictures: tuple[Picture, ...]
    count: int


class ImageEncoder:
    """Owns the vision part of a model, and the features that are kept."""

    def __init__(
        self, model: Any, family: Family, features: FeatureCache | None = None
    ) -> None:
        self._model = model
        self._family = family
        self.keeps_features = family.keeps_features
        self._image_token = image_token_of(model)
        self.features = FeatureCache() if features is None else features

    def find(self, picture: Picture) -> ImageFeatures | None:
        """Return features that are kept."""
        return self.features.get(picture.key) if picture.key else None

    def encode(self, picture: Picture) -> ImageFeatures:
        """Run one image through the vision part, and keep what comes of it."""
        tokens = mx.full((1, picture.tokens), self._image_token, dtype=mx.int32)
        found = self._embed(tokens, picture.inputs)
        layers = found.deepstack_visual_embeds
        features = ImageFeatures(
            rows=found.inputs_embeds[0], layers=() if layers is None else tuple(layers)
        )
        mx.eval(features.rows, *features.layers)
        if picture.key:
            self.features.put(picture.key, features)
        return features

    def place(
        self, prompt: PromptPictures, features: tuple[ImageFeatures, ...]
    ) -> PromptImages:
        """Return what the encoded images of a prompt put into it."""
        positions, delta = None, 0
        if self._family.position_axes:
            positions, delta = self._positions(prompt)
        return PromptImages(
            columns=prompt.columns,
            features=features,
            positions=positions,
            delta=delta,
            keys=tuple(picture.key for picture in prompt.pictures),
        )

    def encode_together(self, prompt: PromptPictures) -> PromptImages:
        """Encode a whole prompt as the library does; nothing is kept."""
        tokens = mx.array([prompt.tokens], dtype=mx.int32)
        inputs = prompt.pictures[0].inputs
        found = self._embed(tokens, inputs)
        given = {
            name: _to_mlx(value)
            for name, value in {**inputs, **found.to_dict()}.items()
            if name not in ("inputs_embeds", "pixel_values") and value is not None
        }
        mx.eval(found.inputs_embeds, [v for v in given.values() if _is_array(v)])
        return PromptImages(
            columns=np.arange(len(prompt.tokens) - 1),
            features=(ImageFeatures(rows=found.inputs_embeds[0, :-1]),),
            extras=given,
            is_whole=True,
        )

    def try_out(self, prompt: PromptPictures) -> None:
        """Encode a prompt with one image and see whether it gives what was counted.

        Raises:
            ValueError: it does not.
        """
        if self._family.keeps_features:
            images = self.place(prompt, (self.encode(prompt.pictures[0]),))
            expected = len(prompt.columns)
        else:
            images = self.encode_together(prompt)
            expected = len(prompt.tokens) - 1
        found = sum(one.rows.shape[0] for one in images.features)
        if found != expected:
            raise ValueError(
                f"{self._family.name} models make {found} positions of {expected}."
            )

    def _embed(self, tokens: mx.array, inputs: dict[str, Any]) -> Any:
        given = {name: _to_mlx(value) for name, value in inputs.items()}
        pixels = given.pop("pixel_values", None)
        mask = mx.ones(tokens.shape, dtype=mx.int32)
        return self._model.get_input_embeddings(tokens, pixels, mask=mask, **given)

    def _positions(self, prompt: PromptPictures) -> tuple[np.ndarray, int]:
        grids = [p.inputs.get("image_grid_thw") for p in prompt.pictures]
        grid = mx.array(np.concatenate([np.asarray(one) for one in grids]))
        tokens = mx.array([prompt.tokens], dtype=mx.int32)
        positions, delta = self._model.language_model.get_rope_index(tokens, grid)
        return np.array(positions[:, 0], dtype=np.int32), int(delta.item())


@dataclass(slots=True, eq=False)
class EncodingJob:
    """The images of one prompt while they are encoded, and what it took.

    `images` is set once all are, `error` where the model failed on one. `cached` of
    them were known; encoding the others took `encode_s` seconds.
    """

    sequence_group: SequenceGroup
    prompt: PromptPictures
    images: PromptImages | None = None
    error: Exception | None = None
    encode_s: float = 0.0
    cached: int = 0
    found: list[ImageFeatures] = field(default_factory=list)


class ImageQueue:
    """Prompts with images, before their prefill; one after the other."""

    def __init__(self, encoder: ImageEncoder) -> None:
        self._encoder = encoder
        self._waiting: deque[EncodingJob] = deque()

    def __len__(self) -> int:
        return sum(len(job.sequence_group) for job in self._waiting)

    def append(self, sequence_group: SequenceGroup, prompt: PromptPictures) -> None:
        """Let the sequences of one prompt wait for its images."""
        self._waiting.append(EncodingJob(sequence_group, prompt))

    def forget_those_who_left(self) -> None:
        """Drop what nobody waits for any more."""
        for job in self._waiting:
            job.sequence_group = [s for s in job.sequence_group if not s.has_left]
        self._waiting = deque(job for job in self._waiting if job.sequence_group)

    def advance(self, *, target_s: float) -> list[EncodingJob]:
        """Encode one image, and more as long as that takes less than `target_s`.

        Returns the prompts that wait no longer: their images are all encoded by now,
        or the model failed on one.
        """
        began = time.monotonic()
        done = []
        while self._waiting:
            job = self._waiting[0]
            try:
                self._encode_one(job)
            except Exception as error:  # noqa: BLE001 -- it concerns this prompt only
                job.error = error
            if job.images is not None or job.error is not None:
                done.append(self._waiting.popleft())
                for sequence in job.sequence_group:
                    sequence.images = job.images
            if time.monotonic() - began >= target_s:
                break
        return done

    def _encode_one(self, job: EncodingJob) -> None:
        """Encode the next image of a prompt, unless it is known."""
        began = time.monotonic()
        if not self._encoder.keeps_features:
            job.images = self._encoder.encode_together(job.prompt)
            job.encode_s = time.monotonic() - began
            return
        picture = job.prompt.pictures[len(job.found)]
        features = self._encoder.find(picture)
        if features is None:
            features = self._encoder.encode(picture)
            job.encode_s += time.monotonic() - began
        else:
            job.cached += 1
        job.found.append(features)
        if len(job.found) == len(job.prompt.pictures):
            job.images = self._encoder.place(job.prompt, tuple(job.found))


def _to_mlx(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return mx.array(value)
    if isinstance(value, list):
        return [_to_mlx(one) for one in value]
    return value


def _is_array(value: Any) -> bool:
    return isinstance(value, mx.array)
