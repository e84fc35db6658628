"""Whether a model's rows may be read by the kernel of `ragged.py` on this machine.

The model has to attend through mlx-lm's function and nothing else, which a pass shows
that is laid out and never computed; and the kernel has to be right, and no slower than
the library with a mask, which is tried on random numbers.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import mlx.core as mx

from inference.engine.hardware.device import device_name
from inference.engine.row_caches.ragged import (
    HEAD_SIZES,
    TYPES,
    RaggedAttention,
    install,
)
from inference.engine.row_caches.row_slots import RowSlots
from inference.engine.row_caches.slot_rows import runs_in_slots
from inference.engine.row_caches.slots import SlotCache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from inference.engine.row_caches.slots import SlotAttention

logger = logging.getLogger(__name__)

# Rows that are read whole, and some that are cut into parts; in slots as of a batch
# that others have left.
HELD_SHORT = (5, 100, 77, 1, 64, 2)
HELD_LONG = (5, 300, 77, 1, 640, 2)
SLOTS = (3, 0, 5, 7, 1, 6)
STEPS = 3
TIMED_HELD = (600, 100, 300, 450) * 4
TIMED_STEPS = 20


class LayerShape(NamedTuple):
    """What a layer's attention is given: heads, the size of one, and the type."""

    query_heads: int
    heads: int
    size: int
    dtype: mx.Dtype


class _Recorder(RaggedAttention):
    """Notes who attends, and computes nothing."""

    def __init__(self) -> None:
        super().__init__("cuda")
        self.seen: list[tuple[SlotCache, LayerShape]] = []

    def __call__(self, queries: mx.array, cache: SlotCache, scale: float) -> mx.array:
        assert cache.newest is not None
        keys, values = cache.newest
        _, query_heads, _, size = queries.shape
        if {keys.shape[3], values.shape[3]} != {size} or size not in HEAD_SIZES:
            raise TypeError(f"heads of {size}")
        if queries.dtype not in TYPES or {keys.dtype, values.dtype} != {queries.dtype}:
            raise TypeError(f"queries in {queries.dtype}")
        shape = LayerShape(query_heads, keys.shape[1], size, queries.dtype)
        self.seen.append((cache, shape))
        return mx.zeros(queries.shape, queries.dtype)


def attention_for(
    model: Any, make_with: Callable[[SlotAttention | None], list[Any]]
) -> RaggedAttention | None:
    """Return the kernel for a model whose rows run in slots; None: the library's way.

    `make_with` returns the empty caches of a row that have this attention.
    """
    backend = device_name()
    if backend == "cpu" or not hasattr(model, "named_modules"):
        return None
    shapes = layer_shapes(model, make_with)
    if not shapes:
        return None
    attention = RaggedAttention(backend)
    try:
        if all(is_trusted(attention, shape) for shape in shapes):
            return attention
    except (RuntimeError, ValueError) as error:
        logger.warning("The kernel for rows of different lengths: %s", error)
        return None
    logger.warning("The kernel for rows of different lengths is not right or slow.")
    return None


def is_trusted(attention: RaggedAttention, shape: LayerShape) -> bool:
    """Whether it gives the library's numbers, and is as fast where that is not known.

    On CUDA it was measured (docs/benchmarks.md), and trying takes seconds of a load.
    """
    if not all(is_right(attention, shape, held) for held in (HELD_SHORT, HELD_LONG)):
        return False
    return attention.backend == "cuda" or _is_fast(attention, shape)


def layer_shapes(
    model: Any, make_with: Callable[[SlotAttention | None], list[Any]]
) -> set[LayerShape]:
    """Return the shapes of the layers; none where one attends in another way."""
    if not install(model):
        return set()
    recorder = _Recorder()
    caches: list[Any] = []
    if not runs_in_slots(model, lambda: make_with(recorder), seen=caches):
        return set()
    layers = [c for c in caches if isinstance(c, SlotCache) and not c.empty()]
    if [id(cache) for cache, _ in recorder.seen] != [id(cache) for cache in layers]:
        return set()
    return {shape for _, shape in recorder.seen}


def is_right(
    attention: SlotAttention, shape: LayerShape, held: tuple[int, ...]
) -> bool:
    """Whether some steps, one launched before the one before ends, give the numbers."""
    cache = _filled(attention, shape, held, SLOTS, idle=2)
    keys, values = mx.array(cache.keys), mx.array(cache.values)
    mx.eval(keys, values)
    tolerance = 1e-3 if shape.dtype == mx.float32 else 2e-2
    pairs = []
    for step in range(STEPS):
        queries, new_keys, new_values = _newest(
            shape, len(held) + cache.seats.idle, step
        )
        rows = zip(SLOTS, cache.seats.held, strict=True)
        for place, (slot, column) in enumerate(rows):
            keys[slot, :, column] = new_keys[place, :, 0]
            values[slot, :, column] = new_values[place, :, 0]
        expected = _by_library(queries, keys, values, cache.seats)
        cache.update_and_fetch(new_keys, new_values)
        found = attention(queries, cache, shape.size**-0.5)
        mx.async_eval(found)
        pairs.append((found[: len(held)], expected))
        cache.seats.advance(1)
    return all(
        bool(mx.allclose(found, expected, rtol=tolerance, atol=tolerance))
        for found, expected in pairs
    )


def _by_library(
    queries: mx.array, keys: mx.array, values: mx.array, seats: RowSlots
) -> mx.array:
    """Attend with the library, each row alone and in float32."""
    found = []
    for place, (slot, held) in enumerate(zip(seats.slots, seats.held, strict=True)):
        one, end = slice(slot, slot + 1), held + 1
        given = (queries[place : place + 1], keys[one, :, :end], values[one, :, :end])
        attended = mx.fast.scaled_dot_product_attention(
            *(array.astype(mx.float32) for array in given),
            scale=queries.shape[-1] ** -0.5,
        )
        found.append(attended.astype(queries.dtype))
    return mx.concatenate(found)


def _is_fast(attention: SlotAttention, shape: LayerShape) -> bool:
    """Whether the kernel takes no longer than writing, a mask and the library."""
    slots = range(len(TIMED_HELD))
    ours = _filled(attention, shape, TIMED_HELD, slots)
    theirs = _filled(None, shape, TIMED_HELD, slots)
    queries, *new = _newest(shape, len(TIMED_HELD), 0)
    scale = shape.size**-0.5

    def by_kernel() -> mx.array:
        ours.update_and_fetch(*new)
        return attention(queries, ours, scale)

    def by_library() -> mx.array:
        mask = theirs.make_mask(1)
        fetched = theirs.update_and_fetch(*new)
        attended: mx.array = mx.fast.scaled_dot_product_attention(
            queries, *fetched, scale=scale, mask=mask
        )
        return attended

    return _seconds(by_kernel) <= _seconds(by_library)


def _seconds(compute: Callable[[], mx.array]) -> float:
    """Return the shorter of two times, once all is compiled."""
    mx.eval(compute())
    found = []
    for _ in range(2):
        began = time.perf_counter()
        for _ in range(TIMED_STEPS):
            mx.async_eval(last := compute())
        mx.eval(last)
        found.append(time.perf_counter() - began)
    return min(found)


def _filled(
    attention: SlotAttention | None,
    shape: LayerShape,
    held: Iterable[int],
    slots: Iterable[int],
    *,
    idle: int = 0,
) -> SlotCache:
    """Return a layer of rows in these slots, its numbers random, some never used."""
    seats = RowSlots(list(held), follows=attention is not None)
    seats.slots = list(slots)
    seats.room = max(seats.slots) + 1
    seats.run_along(idle)
    seats.lay_out(STEPS)
    cache = SlotCache(seats, attention)
    size = (seats.laid_out, shape.heads, seats.columns, shape.size)
    cache.keys, cache.values = (
        mx.random.normal(size, key=mx.random.key(seed)).astype(shape.dtype)
        for seed in (1, 2)
    )
    mx.eval(cache.state)
    return cache


def _newest(shape: LayerShape, rows: int, step: int) -> list[mx.array]:
    """Return queries, keys and values of a step."""
    heads = (shape.query_heads, shape.heads, shape.heads)
    found = [
        mx.random.normal((rows, count, 1, shape.size), key=mx.random.key(9 * step + at))
        for at, count in enumerate(heads)
    ]
    return [array.astype(shape.dtype) for array in found]
