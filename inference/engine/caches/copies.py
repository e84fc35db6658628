"""Copies of a row's caches that outlive the row, and rows that begin from them.

MLX writes into an array where it stands, for everybody who holds that object; so no
array of a copy is an object that a running row holds. The numbers themselves are
shared until one of the two writes.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import mlx.core as mx
from mlx_lm.models.cache import ArraysCache, CacheList, KVCache, RotatingKVCache

from inference.engine.caches.probe import flat
from inference.engine.caches.quantized import QuantizedCache
from inference.engine.caches.row_places import RowPlaces

if TYPE_CHECKING:
    from collections.abc import Iterable

# Those that this module knows how to copy; a model with others keeps nothing.
_PLAIN = (KVCache, RotatingKVCache, ArraysCache)


def can_copy(caches: list[Any]) -> bool:
    """Whether the caches of a row, full or empty, are all of known kinds."""
    return all(
        isinstance(cache, (*_PLAIN, QuantizedCache, RowPlaces))
        for cache in flat(caches)
    )


def can_cut(caches: list[Any]) -> bool:
    """Whether a row may go on from any of its tokens, not only from its last.

    Recurrent states cannot go back, nor can a sliding window that has begun to slide.
    """
    return all(cache.is_trimmable() for cache in flat(caches))


def copied(caches: list[Any]) -> list[Any]:
    """Return a row's caches as another row may go on with them.

    What images it has to read, that row has to be told.
    """
    return [_copy(cache) for cache in caches]


def packed(caches: list[Any], beyond: int = 0) -> list[Any]:
    """Return a row's caches without their newest `beyond` tokens, and no room to grow.

    They are computed soon: what was computed for them, a whole batch perhaps, is then
    let go.
    """
    found = [_packed(cache, beyond) for cache in caches]
    mx.async_eval([cache.state for cache in flat(found)])
    return found


def cut(caches: list[Any], held: int, tokens: int) -> list[Any]:
    """Return a copy of the caches of a row of `held` tokens as of its first `tokens`.

    Fewer than it holds only where `can_cut`.
    """
    found = copied(caches)
    if tokens < held:
        for cache in flat(found):
            cache.trim(held - tokens)
    return found


def counts(caches: list[Any]) -> set[int]:
    """Return how many tokens a row's caches hold, by those of them that count."""
    return {
        int(cache.offset)
        for cache in flat(caches)
        if isinstance(cache, (KVCache, RotatingKVCache, QuantizedCache))
        and not cache.empty()
    }


def bytes_of(caches: list[Any]) -> int:
    """Return what a row's caches take."""
    return sum(int(cache.nbytes) for cache in flat(caches))


def _copy(cache: Any) -> Any:
    if isinstance(cache, CacheList):
        return CacheList(*(_copy(part) for part in cache.caches))
    if isinstance(cache, QuantizedCache):
        return QuantizedCache(cache.quantization, map(_copy, cache.parts))
    if isinstance(cache, RowPlaces):
        return cache.without_images()
    other = copy.copy(cache)
    if isinstance(cache, ArraysCache):
        other.cache = _shared(cache.cache)
    elif cache.keys is not None:
        other.keys, other.values = _shared((cache.keys, cache.values))
    return other


def _packed(cache: Any, beyond: int) -> Any:
    if isinstance(cache, CacheList):
        return CacheList(*(_packed(part, beyond) for part in cache.caches))
    if isinstance(cache, QuantizedCache):
        parts = (_packed(part, beyond) for part in cache.parts)
        return QuantizedCache(cache.quantization, parts)
    if isinstance(cache, KVCache) and not cache.empty():
        other = copy.copy(cache)
        other.trim(beyond)
        held = (cache.keys, cache.values)
        other.keys, other.values = _shared(x[..., : other.offset, :] for x in held)
        return other
    other = _copy(cache)
    if beyond:
        other.trim(beyond)
    return other


def _shared(arrays: Iterable[mx.array | None]) -> list[mx.array | None]:
    """Return objects of their own with the same numbers."""
    return [None if array is None else mx.contiguous(array) for array in arrays]
