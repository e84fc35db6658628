"""Attention of one new token for each row, over rows of different lengths in slots.

It reads exactly what each row holds: no mask, no padding. On CUDA it also writes the
new token's keys and values where the cache stands, which MLX itself does only while no
step under way reads them; else it copies the whole cache first.
"""

from __future__ import annotations

import math
import sys
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import mlx.core as mx
from mlx_lm.models import base

from inference.engine.row_caches.ragged_source import (
    header_of,
    join_source,
    span_source,
)

if TYPE_CHECKING:
    from inference.engine.row_caches.slots import SlotCache

HEAD_SIZES = frozenset((64, 80, 96, 128, 256))
TYPES = (mx.bfloat16, mx.float16, mx.float32)
THREADS = 256
# Numbers of one head's result that a block may keep for each of its warps.
SHARED_NUMBERS = 1024
HEADS_MOST = 8
# So many blocks keep a large GPU busy; a row is cut so that there are as many.
BLOCKS_WANTED = 264
COLUMNS_PER_PART_LEAST = 128
COLUMNS_PER_PART_MOST = 1024
PARTS_MOST = 64


class RaggedAttention:
    """The kernels of one backend, `cuda` or `metal`."""

    def __init__(self, backend: str) -> None:
        self.backend = backend

    @property
    def writes(self) -> bool:
        """Whether it writes the new tokens' keys and values itself."""
        return self.backend == "cuda"

    @property
    def likes_few_shapes(self) -> bool:
        """Whether a number of rows not seen before takes long: plans are made for it."""
        return self.backend == "cuda"

    def __call__(self, queries: mx.array, cache: SlotCache, scale: float) -> mx.array:
        """Attend from (rows, heads, 1, dimensions) to all that each row holds."""
        assert cache.keys is not None
        assert cache.values is not None
        seats, (rows, query_heads, _, size) = cache.seats, queries.shape
        together = _heads_together(query_heads // cache.keys.shape[1], size)
        blocks = rows * query_heads // together
        parts = parts_of(blocks, seats.reach(1))
        new_keys, new_values = cache.newest or (queries, queries)
        given = {
            "inputs": [
                *(queries, cache.keys, cache.values, new_keys, new_values),
                *(seats.offset(), seats.slot_numbers(), _number(scale)),
            ],
            "template": self._template(queries, cache.keys, together),
            "grid": (THREADS * blocks, parts, 1),
            "threadgroup": (THREADS, 1, 1),
        }
        if parts > 1:
            return self._in_parts(given, queries, parts)
        found: mx.array = self._whole(
            **given, output_shapes=[queries.shape], output_dtypes=[queries.dtype]
        )[0]
        return found

    def _template(
        self, queries: mx.array, keys: mx.array, together: int
    ) -> list[tuple[str, Any]]:
        """Return what a kernel is compiled for; `together` heads are in a block."""
        size, sharing = queries.shape[3], queries.shape[1] // keys.shape[1]
        return [
            *(("T", keys.dtype), ("D", size), ("G", together)),
            *(("SUBS", sharing // together), ("LANES", _lanes(size))),
            *(("V", _pack(size, keys.dtype)), ("WRITES", self.writes)),
        ]

    def _in_parts(
        self, given: dict[str, Any], queries: mx.array, parts: int
    ) -> mx.array:
        """Attend to so many parts of each row, and put them together."""
        rows, query_heads, _, size = queries.shape
        heads = rows * query_heads
        sums, tops = self._part(
            **given,
            output_shapes=[(heads, parts, size), (heads, parts, 2)],
            output_dtypes=[mx.float32, mx.float32],
        )
        found: mx.array = self._join(
            inputs=[sums, tops],
            template=[("T", queries.dtype), ("D", size)],
            grid=(size * heads, 1, 1),
            threadgroup=(size, 1, 1),
            output_shapes=[queries.shape],
            output_dtypes=[queries.dtype],
        )[0]
        return found

    @cached_property
    def _whole(self) -> Any:
        return self._kernel(
            "ragged_rows", span_source(self.backend, is_part=False), ["out"]
        )

    @cached_property
    def _part(self) -> Any:
        source = span_source(self.backend, is_part=True)
        return self._kernel("ragged_parts", source, ["part_sums", "part_tops"])

    @cached_property
    def _join(self) -> Any:
        source, given = join_source(self.backend), ["part_sums", "part_tops"]
        return self._kernel("ragged_join", source, ["out"], given)

    def _kernel(
        self,
        name: str,
        source: str,
        outputs: list[str],
        inputs: list[str] | None = None,
    ) -> Any:
        make = mx.fast.cuda_kernel if self.backend == "cuda" else mx.fast.metal_kernel
        given = inputs or [
            *("queries", "keys", "values", "new_keys", "new_values"),
            *("lengths", "slots", "scale"),
        ]
        return make(
            name=name,
            input_names=given,
            output_names=outputs,
            source=source,
            header=header_of(self.backend),
        )


def parts_of(blocks: int, columns: int) -> int:
    """Return into how many parts rows are cut, a power of two."""
    wanted = max(BLOCKS_WANTED / blocks, columns / COLUMNS_PER_PART_MOST)
    most = min(PARTS_MOST, columns / COLUMNS_PER_PART_LEAST)
    return 1 << max(0, math.floor(math.log2(max(1.0, min(wanted, most)))))


def attend(  # noqa: PLR0913 -- mlx-lm's own
    queries: mx.array,
    keys: mx.array,
    values: mx.array,
    cache: Any,
    scale: float,
    mask: Any,
    sinks: mx.array | None = None,
) -> mx.array:
    """Stand in for mlx-lm's attention: rows in slots are read by the kernel."""
    attention = getattr(cache, "attention", None)
    if attention is not None and hasattr(cache, "seats") and queries.shape[2] == 1:
        if mask is not None or sinks is not None:
            raise TypeError("The kernel knows neither masks nor sinks.")
        found: mx.array = attention(queries, cache, scale)
        return found
    return _library(queries, keys, values, cache, scale, mask, sinks)


_library = base.scaled_dot_product_attention


def install(model: Any) -> bool:
    """Have a model's layers attend through `attend`; return whether any does."""
    modules = {
        sys.modules[type(module).__module__] for _, module in model.named_modules()
    }
    found = False
    for module in modules:
        theirs = getattr(module, "scaled_dot_product_attention", None)
        if theirs is _library:
            module.scaled_dot_product_attention = attend  # type: ignore[attr-defined]
        found = found or theirs in (_library, attend)
    return found


def _heads_together(sharing: int, size: int) -> int:
    """Return how many of the query heads that share keys a block takes."""
    most = min(HEADS_MOST, SHARED_NUMBERS // size)
    return max(count for count in range(1, most + 1) if sharing % count == 0)


def _lanes(size: int) -> int:
    """Return how many threads hold one column."""
    return {256: 32, 128: 16}.get(size, 8)


def _pack(size: int, dtype: mx.Dtype) -> int:
    """Return how many numbers a thread reads at once: 16 bytes at most."""
    return math.gcd(size // _lanes(size), 16 // dtype.size)


@lru_cache(maxsize=64)
def _number(value: float) -> mx.array:
    return mx.array([value], dtype=mx.float32)
