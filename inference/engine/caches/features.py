"""What the vision part made of images, kept for the next turn about them."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inference.core.limits import MIB

if TYPE_CHECKING:
    import mlx.core as mx

FEATURE_BYTES = 256 * MIB


@dataclass(frozen=True, slots=True)
class ImageFeatures:
    """One image as its language model reads it, computed.

    `rows` has a row for each of its tokens; `layers` what deeper layers add to
    them, (tokens, dimensions) each, in models that do so.
    """

    rows: mx.array
    layers: tuple[mx.array, ...] = ()

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return int(self.rows.nbytes) + sum(int(layer.nbytes) for layer in self.layers)


class FeatureCache:
    """Owns the features of the images asked about last. For the MLX thread only.

    Holds at most `most_bytes`; those not asked for longest go first. A key says
    which image it is by its content, and how it was scaled.
    """

    def __init__(self, most_bytes: int = FEATURE_BYTES) -> None:
        self._most_bytes = most_bytes
        self._found: OrderedDict[str, ImageFeatures] = OrderedDict()
        self.held_bytes = 0

    def __len__(self) -> int:
        return len(self._found)

    def get(self, key: str) -> ImageFeatures | None:
        """Return an image's features, if they are still here."""
        features = self._found.get(key)
        if features is not None:
            self._found.move_to_end(key)
        return features

    def put(self, key: str, features: ImageFeatures) -> None:
        """Keep an image's features; what is larger than all the room is not kept."""
        self._drop(key)
        if features.nbytes > self._most_bytes:
            return
        self._found[key] = features
        self.held_bytes += features.nbytes
        while self.held_bytes > self._most_bytes:
            self._drop(next(iter(self._found)))

    def clear(self) -> None:
        """Forget all."""
        self._found.clear()
        self.held_bytes = 0

    def _drop(self, key: str) -> None:
        features = self._found.pop(key, None)
        if features is not None:
            self.held_bytes -= features.nbytes
