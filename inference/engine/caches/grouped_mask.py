"""Caches for attention that has an axis of its own for the groups of heads.

mlx-lm's gemma2 lays its scores out by key head and query head; a batch's mask
lacks that axis, and what should be rows would meet heads.
"""

from __future__ import annotations

from typing import Any

import mlx.core as mx
from mlx_lm.models.cache import BatchKVCache, KVCache


class GroupedMaskCache(KVCache):  # type: ignore[misc]
    """A row's cache; only its batch differs from mlx-lm's."""

    @classmethod
    def merge(cls, caches: list[Any]) -> BatchGroupedMaskCache:
        """Return a batch of single rows, left-padded to the longest."""
        if all(cache.empty() for cache in caches):
            return BatchGroupedMaskCache([0] * len(caches))
        batch: BatchGroupedMaskCache = BatchGroupedMaskCache.merge(caches)
        return batch


class BatchGroupedMaskCache(BatchKVCache):  # type: ignore[misc]
    """A batch whose masks are (rows, 1, 1, queries, keys)."""

    def make_mask(self, *args: Any, **kwargs: Any) -> mx.array:
        """Return the mask for so many new positions."""
        return mx.expand_dims(super().make_mask(*args, **kwargs), 1)

    def extract(self, idx: int) -> GroupedMaskCache:
        """Return one row without its padding."""
        row: GroupedMaskCache = GroupedMaskCache.from_state(super().extract(idx).state)
        return row
