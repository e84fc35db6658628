"""What a model does with given caches, found without computing anything.

A forward pass is only laid out: MLX knows the shapes of arrays that nobody asked
for yet, and refuses what does not fit while the graph is built. That takes
milliseconds, whatever the size of the model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import mlx.core as mx
from mlx_lm.models.cache import ArraysCache, CacheList

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Returns the empty caches of one row, one for each layer.
MakeCaches: TypeAlias = "Callable[[], list[Any]]"

# A number that no model has of heads: rows taken for heads must not fit by chance.
ROWS = 13
# Recurrent models that leave right padding out of their states however a prompt
# is cut (tests/engine/test_kv_cache.py). In others it changes answers: mamba and
# jamba do not look at it, what stands on mlx-lm's ssm_attn loses count when a
# padded prompt is cut.
_RECURRENT_WITH_PADDING = frozenset(
    ("kimi_linear", "lfm2", "lfm2_moe", "qwen3_5", "qwen3_5_moe", "qwen3_next")
)


def flat(caches: list[Any]) -> Iterator[Any]:
    """Yield the caches, those inside a `CacheList` one by one."""
    for cache in caches:
        if isinstance(cache, CacheList):
            yield from flat(list(cache.caches))
        else:
            yield cache


def caches_after(model: Any, make: MakeCaches, *, tokens: int) -> list[Any]:
    """Return a row's caches as they would be after so many tokens."""
    caches = make()
    model(mx.zeros((1, tokens), dtype=mx.int32), cache=caches)
    return caches


def runs_alone(model: Any, make: MakeCaches) -> bool:
    """Whether one row runs, through a chunk of its prompt and a decode step."""
    try:
        caches = caches_after(model, make, tokens=2)
        model(mx.zeros((1, 1), dtype=mx.int32), cache=caches)
    except Exception:  # noqa: BLE001 -- whatever it is, it cannot be run so
        return False
    return True


def runs_batched(model: Any, make: MakeCaches) -> bool:
    """Whether rows merge, and run together through a padded chunk and a step."""
    rows = [make() for _ in range(ROWS)]
    if not all(hasattr(cache, "merge") for cache in flat(rows[0])):
        return False
    shorter = ROWS - 1
    try:
        batch = [alike[0].merge(list(alike)) for alike in zip(*rows, strict=True)]
        for cache in batch:
            cache.prepare(
                lengths=[2] + [1] * shorter, right_padding=[0] + [1] * shorter
            )
        model(mx.zeros((ROWS, 2), dtype=mx.int32), cache=batch)
        for cache in batch:
            cache.finalize()
        model(mx.zeros((ROWS, 1), dtype=mx.int32), cache=batch)
    except Exception:  # noqa: BLE001 -- positions as one number, masks that misfit
        return False
    return True


def follows_padding(model: Any, make: MakeCaches) -> bool:
    """Whether prompts of several lengths may be padded to run through it together."""
    if not any(isinstance(cache, ArraysCache) for cache in flat(make())):
        return True
    return type(model).__module__.rpartition(".")[2] in _RECURRENT_WITH_PADDING
