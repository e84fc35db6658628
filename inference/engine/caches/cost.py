"""What the caches of one row take in memory, by their shapes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from mlx_lm.models.cache import (
    ArraysCache,
    ChunkedKVCache,
    KVCache,
    RotatingKVCache,
)

from inference.engine.caches.probe import caches_after, flat
from inference.engine.caches.quantized import QuantizedCache

if TYPE_CHECKING:
    from inference.engine.caches.probe import MakeCaches

# Two lengths beyond which caches of unknown kind are taken to grow evenly.
FEW_TOKENS = 512
MANY_TOKENS = 1024


@dataclass(frozen=True, slots=True)
class KVCost:
    """What a row's caches take at most, between two chunks of a prompt.

    `bytes_per_row`, and `bytes_per_token` for each token, for the newest `window`
    of them only where that is not 0.
    """

    bytes_per_token: int
    bytes_per_row: int
    window: int


def cost_of(model: Any, make: MakeCaches) -> KVCost:
    """Return what one row's caches take; computes nothing.

    Where some caches reach further back than others, those of the longest reach
    count by the token; the others count as full.
    """
    shares = _shares(model, make)
    reach = max((share.reach for share in shares if share.per_token), default=0.0)
    per_token = per_row = 0.0
    for share in shares:
        per_row += share.fixed
        if share.reach >= reach:
            per_token += share.per_token
        else:
            per_row += share.per_token * share.reach
    return KVCost(
        bytes_per_token=math.ceil(per_token),
        bytes_per_row=math.ceil(per_row),
        window=0 if math.isinf(reach) else int(reach),
    )


class _Share(NamedTuple):
    """Bytes of one cache: fixed, and for each of the newest `reach` tokens."""

    fixed: float
    per_token: float = 0.0
    reach: float = math.inf


def _shares(model: Any, make: MakeCaches) -> list[_Share]:
    shares = [_share(cache) for cache in flat(caches_after(model, make, tokens=1))]
    if None not in shares:
        return [share for share in shares if share is not None]
    return [
        share or _measured(few, many)
        for share, few, many in zip(
            shares,
            flat(caches_after(model, make, tokens=FEW_TOKENS)),
            flat(caches_after(model, make, tokens=MANY_TOKENS)),
            strict=True,
        )
    ]


def _share(cache: Any) -> _Share | None:
    """Return a cache's share after one token; None where its kind is not known.

    It has allocated some hundred tokens by then, and will so again each time it is
    full: one such step counts as fixed.
    """
    if cache.empty():
        return _Share(0)
    if isinstance(cache, ArraysCache):
        return _Share(cache.nbytes)
    if isinstance(cache, QuantizedCache):
        slots = cache.slots
    elif isinstance(cache, (KVCache, RotatingKVCache, ChunkedKVCache)):
        slots = cache.keys.shape[2]
    else:
        return None
    return _Share(cache.nbytes, cache.nbytes / slots, _reach(cache))


def _reach(cache: Any) -> float:
    """Return how many tokens back a cache goes."""
    if isinstance(cache, RotatingKVCache):
        return float(cache.max_size)
    if isinstance(cache, ChunkedKVCache):
        return float(cache.chunk_size)
    return math.inf


def _measured(few: Any, many: Any) -> _Share:
    """Return the share of a cache of unknown kind, from what it takes twice."""
    rate = max(0.0, (many.nbytes - few.nbytes) / (MANY_TOKENS - FEW_TOKENS))
    return _Share(max(0.0, few.nbytes - FEW_TOKENS * rate), rate)
