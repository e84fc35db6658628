"""The language part of a vision model, called as text models are.

Prefill and decode give it tokens and caches and get logits; what the images of a
row put into its prompt, and where the row stands, it finds in the row's last cache.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mlx.core as mx
from mlx_lm.models import cache as text_caches
from mlx_lm.models.cache import make_prompt_cache

from inference.engine.caches.row_places import RowPlaces

if TYPE_CHECKING:
    from inference.engine.caches.row_places import PlacedFeatures
    from inference.engine.vision.families import Family

_THEIR_CACHES = "mlx_vlm.models.cache"


class VisionLanguageModel:
    """A model of mlx-vlm for prefill and decode; for the MLX thread only."""

    def __init__(self, model: Any, family: Family) -> None:
        self.model = model
        self._language = model.language_model
        self._axes = family.position_axes
        self._remembers = family.remembers

    @property
    def layers(self) -> Any:
        """Its layers, which tools of mlx-lm ask for."""
        return self._language.layers

    def make_cache(self) -> list[Any]:
        """Return the empty caches of one row, the place of the row last."""
        caches = [_as_text_cache(one) for one in make_prompt_cache(self._language)]
        return [*caches, RowPlaces()]

    def __call__(self, tokens: mx.array, *, cache: list[Any]) -> mx.array:
        """Return the logits behind each of the tokens, (rows, tokens, vocabulary)."""
        *caches, places = cache
        width = tokens.shape[1]
        if self._remembers and not (places.size() or places.has_images):
            forget_positions(self.model)
        given = places.extras(width)
        if self._axes:
            given["position_ids"] = places.positions(width, axes=self._axes)
        seen = places.seen(width)
        if seen is not None:
            given |= self._read(tokens, seen)
        places.advance(width)
        output = self._language(tokens, cache=caches, **given)
        logits: mx.array = output.logits
        return logits

    def _read(self, tokens: mx.array, seen: PlacedFeatures) -> dict[str, Any]:
        """Return the tokens' embeddings, those of images put in their place."""
        embeddings = embeddings_of(self.model, tokens)
        where = mx.array(seen.places)
        is_image = where >= 0
        rows = seen.rows[mx.maximum(where, 0)].astype(embeddings.dtype)
        given = {"inputs_embeds": mx.where(is_image[..., None], rows, embeddings)}
        if seen.layers:
            given["visual_pos_masks"] = is_image
            given["deepstack_visual_embeds"] = seen.layers
        return given


def forget_positions(model: Any) -> None:
    """Have a language model forget the positions of the prompt before."""
    model.language_model._position_ids = None  # noqa: SLF001 -- there is no other way
    model.language_model._rope_deltas = None  # noqa: SLF001


def embeddings_of(model: Any, tokens: mx.array) -> mx.array:
    """Return the embeddings of (rows, tokens) as of text."""
    found: mx.array = model.get_input_embeddings(tokens, None).inputs_embeds
    return found


def _as_text_cache(cache: Any) -> Any:
    """Return mlx-lm's cache of the kind; mlx-vlm has its own, with its interface.

    What knows how to batch, quantize and count caches knows mlx-lm's.
    """
    kind = type(cache)
    if kind.__module__ != _THEIR_CACHES:
        return cache
    if kind.__name__ == "KVCache":
        return text_caches.KVCache()
    if kind.__name__ == "RotatingKVCache":
        return text_caches.RotatingKVCache(max_size=cache.max_size, keep=cache.keep)
    return cache
