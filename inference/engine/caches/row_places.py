"""Where the rows of a batch stand that began with images.

Models with several axes of position count a picture by its sides, so a row's next
position is not its number of tokens. The libraries keep the difference on the
model, one for all rows. Here it lies in the last of a row's caches: whatever
merges, extends, pads or takes apart caches does so with it, too.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

import mlx.core as mx
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference.engine.caches.features import ImageFeatures

# Arguments of mlx-vlm's language models that have an entry for each token, and
# along which axis; others are given whole with every chunk of the prompt.
_TOKEN_AXES = {
    "position_ids": -1,
    "per_layer_inputs": 1,
    "pos_hw": 1,
    "token_type_ids": 1,
    "mm_token_type_ids": 1,
    "visual_pos_masks": 1,
}
# Those that every token of a row attends to, not only those of its prompt.
_LASTING = frozenset(("cross_attention_states",))


@dataclass(frozen=True, slots=True, eq=False)
class PromptImages:
    """What the images of a prompt put into it, besides its tokens.

    `columns` are the places of the tokens that stand for images, ascending; the
    rows of all `features`, one after the other, are what is read there. Where
    positions have axes, `positions` is (axes, tokens) and `delta` what the next
    position is ahead of the number of tokens.

    `keys` name the images by their content, one for each of `features`; an empty one
    is not known. `extras` are further arguments of the language model; a prompt that has some is
    prefilled alone. `is_whole`: in one piece.
    """

    columns: np.ndarray
    features: tuple[ImageFeatures, ...]
    positions: np.ndarray | None = None
    delta: int = 0
    keys: tuple[str, ...] = ()
    extras: dict[str, Any] = field(default_factory=dict)
    is_whole: bool = False

    @property
    def is_alone(self) -> bool:
        """Whether no other prompt may be prefilled with it."""
        return bool(self.extras) or self.is_whole

    @property
    def end(self) -> int:
        """How many tokens there are up to the last of an image."""
        return int(self.columns[-1]) + 1 if len(self.columns) else 0

    def lasting(self) -> PromptImages | None:
        """Return what is left of them once they are read: what every token attends."""
        found = {n: v for n, v in self.extras.items() if n in _LASTING}
        if not found:
            return None
        return PromptImages(columns=self.columns[:0], features=(), extras=found)

    def named(self, prompt: list[int]) -> list[int] | None:
        """Return the prompt with numbers for its images that tell them apart.

        An image's tokens are the same as any other's, and no token is below zero.
        None where the images are not known by their content, or are not all there is.
        """
        if self.is_alone or not self.keys or not all(self.keys):
            return None
        named, start = list(prompt), 0
        for key, features in zip(self.keys, self.features, strict=True):
            end = start + int(features.rows.shape[0])
            number = int.from_bytes(sha256(key.encode()).digest()[:7])
            for column in self.columns[start:end].tolist():
                named[column] = -1 - number
            start = end
        return named

    def place_in(self, caches: list[Any], held: int = 0) -> None:
        """Have a row read the images as it is prefilled; it holds `held` tokens yet."""
        caches[-1].begin_with(self, held)

    def between(self, start: int, end: int) -> tuple[np.ndarray, slice]:
        """Return the columns within these tokens, and which of all they are."""
        first, last = np.searchsorted(self.columns, (start, end))
        return self.columns[first:last] - start, slice(int(first), int(last))

    def rows(self, which: slice) -> mx.array:
        """Return what is read at these of the columns."""
        return _joined([one.rows for one in self.features])[which]

    def layers(self, which: slice) -> list[mx.array]:
        """Return what deeper layers add at these of the columns, layer by layer."""
        return [
            _joined(list(alike))[which]
            for alike in zip(*(one.layers for one in self.features), strict=True)
        ]


@dataclass(slots=True)
class _Row:
    tokens: int = 0
    delta: int = 0
    images: PromptImages | None = None


class PlacedFeatures(NamedTuple):
    """What the images of all rows put into the next tokens.

    `places` is (rows, tokens): which of `rows` is read there, or -1.
    """

    places: np.ndarray
    rows: mx.array
    layers: list[mx.array]


class RowPlaces:
    """Stands among the caches of a row, or of a batch of rows; holds no keys."""

    def __init__(self, rows: Sequence[_Row] = ()) -> None:
        self._rows = [replace(row) for row in rows] or [_Row()]
        self._padding: list[int] = []

    # --- what the language model's adapter asks

    def begin_with(self, images: PromptImages, held: int = 0) -> None:
        """Let a row that holds `held` tokens of a prompt go on with its images."""
        self._rows = [_Row(delta=images.delta, images=images)]
        self.advance(held)

    def without_images(self) -> RowPlaces:
        """Return a single row's places as if it had begun with text only."""
        return RowPlaces([_Row(tokens=self._rows[0].tokens)])

    @property
    def has_images(self) -> bool:
        """Whether any row has images before it that were not read yet."""
        return any(row.images is not None for row in self._rows)

    def advance(self, tokens: int) -> None:
        """Count tokens that have been given to the model for each row."""
        for row in self._rows:
            row.tokens += tokens
            images = row.images
            if images is not None and row.tokens >= images.end:
                row.images = images.lasting()

    def positions(self, tokens: int, *, axes: int) -> mx.array:
        """Return the positions of the next tokens, (axes, rows, tokens)."""
        found = np.empty((axes, len(self._rows), tokens), dtype=np.int32)
        for at, row in enumerate(self._rows):
            found[:, at] = np.arange(row.tokens, row.tokens + tokens) + row.delta
            if row.images is not None and row.images.positions is not None:
                given = row.images.positions[:, row.tokens : row.tokens + tokens]
                found[:, at, : given.shape[1]] = given
        return mx.array(found)

    def seen(self, tokens: int) -> PlacedFeatures | None:
        """Return what is read from images in the next tokens; `None`: nothing."""
        places = np.full((len(self._rows), tokens), -1, dtype=np.int32)
        parts: list[mx.array] = []
        layers: list[list[mx.array]] = []
        count = 0
        for at, row in enumerate(self._rows):
            if row.images is None:
                continue
            columns, which = row.images.between(row.tokens, row.tokens + tokens)
            if not len(columns):
                continue
            places[at, columns] = np.arange(count, count + len(columns))
            count += len(columns)
            parts.append(row.images.rows(which))
            layers.append(row.images.layers(which))
        if not parts:
            return None
        joined = [_joined(list(alike)) for alike in zip(*layers, strict=True)]
        return PlacedFeatures(places, _joined(parts), joined)

    def extras(self, tokens: int) -> dict[str, Any]:
        """Return the further arguments for the next tokens of a row that is alone."""
        images = self._rows[0].images
        if images is None or len(self._rows) > 1:
            return {}
        start = self._rows[0].tokens
        found = dict(images.extras)
        for name in found.keys() & _TOKEN_AXES.keys():
            which = mx.arange(start, start + tokens)
            found[name] = mx.take(found[name], which, axis=_TOKEN_AXES[name])
        return found

    # --- rows, as mlx-lm's caches have them

    @classmethod
    def merge(cls, caches: list[RowPlaces]) -> RowPlaces:
        """Return a batch of single rows."""
        batch = cls()
        batch._rows = []
        for cache in caches:
            batch.extend(cache)
        return batch

    def extend(self, other: RowPlaces) -> None:
        """Add the rows of another batch behind this one's."""
        self._rows += [replace(row) for row in other._rows]

    def filter(self, batch_indices: Any) -> None:
        """Keep these rows of the batch, in this order."""
        self._rows = [self._rows[int(at)] for at in batch_indices]

    def extract(self, idx: int) -> RowPlaces:
        """Return one row of the batch."""
        return RowPlaces([self._rows[idx]])

    def prepare(
        self, *, right_padding: Sequence[int] | None = None, **kwargs: Any
    ) -> None:
        """Announce padding of what comes next."""
        self._padding = list(right_padding or ())

    def finalize(self) -> None:
        """Count announced padding no longer."""
        for row, padding in zip(self._rows, self._padding, strict=False):
            row.tokens -= padding
        self._padding = []

    def is_trimmable(self) -> bool:
        """Whether the newest tokens can be taken back: always."""
        return True

    def trim(self, n: int) -> int:
        """Take back the newest `n` tokens of each row."""
        for row in self._rows:
            row.tokens -= n
        return n

    def size(self) -> int:
        """Tokens of the longest row."""
        return max(row.tokens for row in self._rows)

    def empty(self) -> bool:
        """Whether it holds no arrays of its own: always."""
        return True

    @property
    def state(self) -> list[mx.array]:
        """All arrays, for `mx.eval`: none."""
        return []

    @property
    def nbytes(self) -> int:
        """Bytes that grow with the row: none."""
        return 0


def _joined(parts: list[mx.array]) -> mx.array:
    return parts[0] if len(parts) == 1 else mx.concatenate(parts)
