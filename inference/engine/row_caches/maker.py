"""Which caches a model's rows get, and in how many bits."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mlx_lm.models.cache import (
    ArraysCache,
    CacheList,
    ChunkedKVCache,
    KVCache,
    RotatingKVCache,
    make_prompt_cache,
)

from inference.engine.caches.cost import KVCost, cost_of
from inference.engine.caches.grouped_mask import GroupedMaskCache
from inference.engine.caches.probe import (
    caches_after,
    flat,
    follows_padding,
    runs_alone,
    runs_batched,
)
from inference.engine.caches.quantized import (
    GROUP_SIZES,
    Quantization,
    QuantizedCache,
    attends_packed,
    group_size_for,
)
from inference.engine.row_caches.ragged_trial import attention_for
from inference.engine.row_caches.slot_rows import runs_in_slots
from inference.engine.row_caches.slots import RowCache

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inference.engine.row_caches.slots import SlotAttention

__all__ = ["CacheMaker", "KVCost", "cache_maker_for", "kv_cost"]

KV_BITS = (4, 8)
_UNPACKED = (
    "kv_bits: the attention of this architecture cannot read packed numbers here;"
    " keys and values are unpacked at each step, which takes time."
)
_OWN_WAY = "the attention of this architecture reads its caches in its own way"


@dataclass(frozen=True, slots=True)
class CacheMaker:
    """Makes the caches of one row.

    `parts` has one entry for each cache of the model, those inside a `CacheList`
    counted one by one: how it is quantized, None where it stays as the model makes
    it; empty where nothing is quantized. `is_batchable` says that rows may run
    together, `can_pad` that prompts of several lengths may be padded for that.
    `has_slots` says that rows which run together lie in slots, `attention` what reads
    them there where it is not the library. `has_grouped_masks`
    names an oddity of the model, `notes` what of the asked-for quantization could not
    be done.
    """

    model: Any
    is_batchable: bool = True
    can_pad: bool = True
    has_slots: bool = False
    attention: SlotAttention | None = None
    has_grouped_masks: bool = False
    parts: tuple[Quantization | None, ...] = ()
    notes: tuple[str, ...] = ()

    def make(self) -> list[Any]:
        """Return one empty cache per layer."""
        layers: list[Any] = make_prompt_cache(self.model)
        plans = iter(self.parts or [None] * len(list(flat(layers))))
        return [self._settled(layer, plans) for layer in layers]

    def _settled(self, cache: Any, plans: Iterator[Quantization | None]) -> Any:
        if isinstance(cache, CacheList):
            return CacheList(*(self._settled(part, plans) for part in cache.caches))
        plan = next(plans)
        if type(cache) is KVCache:
            if self.has_slots:
                return RowCache(self.attention)
            if self.has_grouped_masks:
                cache = GroupedMaskCache()
        if plan is None:
            return cache
        return QuantizedCache(plan, (cache, KVCache(), KVCache()))


def cache_maker_for(model: Any, *, kv_bits: int | None) -> CacheMaker:
    """Return what makes the caches of `model`'s rows; on the MLX thread.

    Quantizes to `kv_bits` (4 or 8; None: not at all) whatever grows without bound
    and can be quantized, and notes the rest.

    Raises:
        ValueError: `kv_bits` is neither.
    """
    if kv_bits is not None and kv_bits not in KV_BITS:
        raise ValueError(f"kv_bits is 4 or 8, not {kv_bits}.")
    plain = _plain_maker(model)
    if kv_bits is None:
        return plain
    layers = caches_after(model, plain.make, tokens=1)
    parts, notes = _plan(layers, kv_bits)
    if not any(parts):
        return replace(plain, notes=(_refusal(notes),))
    packed = replace(plain, parts=parts, notes=notes, has_slots=False)
    if _attends_packed(parts, layers) and _runs(packed):
        return packed
    unpacked = replace(
        packed,
        parts=tuple(part and replace(part, is_read_packed=False) for part in parts),
        notes=(_UNPACKED, *notes),
    )
    if _runs(unpacked):
        return unpacked
    return replace(plain, notes=(f"kv_bits is not possible: {_OWN_WAY}.",))


def kv_cost(model: Any, maker: CacheMaker) -> KVCost:
    """Return what a row's caches take; on the MLX thread."""
    return cost_of(model, maker.make)


def _plain_maker(model: Any) -> CacheMaker:
    maker = CacheMaker(model)
    maker = replace(maker, can_pad=follows_padding(model, maker.make))
    if runs_batched(model, maker.make):
        return _in_slots(maker)
    grouped = replace(maker, has_grouped_masks=True)
    if runs_batched(model, grouped.make):
        return grouped
    return replace(maker, is_batchable=False)


def _in_slots(maker: CacheMaker) -> CacheMaker:
    """Return the maker with slots where the model's rows run in such."""
    slotted = replace(maker, has_slots=True)
    if not runs_in_slots(maker.model, slotted.make):
        return maker
    attention = attention_for(
        maker.model, lambda attention: replace(slotted, attention=attention).make()
    )
    return replace(slotted, attention=attention)


def _runs(maker: CacheMaker) -> bool:
    """Whether the model takes these caches wherever it took its own."""
    if not runs_alone(maker.model, maker.make):
        return False
    return not maker.is_batchable or runs_batched(maker.model, maker.make)


def _attends_packed(parts: tuple[Quantization | None, ...], layers: list[Any]) -> bool:
    """Whether packed attention is right on this device, with all that layers have."""
    kinds = {
        (cache.keys.shape[-1], cache.values.shape[-1], cache.keys.dtype): (plan, cache)
        for plan, cache in zip(parts, flat(layers), strict=True)
        if plan is not None
    }
    return all(
        attends_packed(plan, cache.keys, cache.values) for plan, cache in kinds.values()
    )


def _plan(
    layers: list[Any], bits: int
) -> tuple[tuple[Quantization | None, ...], tuple[str, ...]]:
    """Return how each cache is quantized, and notes on those that cannot be."""
    parts: list[Quantization | None] = []
    kept: Counter[str] = Counter()
    for layer in layers:
        reasons = set()
        for cache in flat([layer]):
            group_size = _group_size(cache)
            if group_size is None:
                parts.append(None)
                reasons.add(_reason(cache))
            else:
                parts.append(Quantization(bits, group_size, is_read_packed=True))
        kept.update(reasons - {""})
    return tuple(parts), tuple(
        f"kv_bits: {count} of {len(layers)} layers keep {reason} in full precision."
        for reason, count in sorted(kept.items())
    )


def _group_size(cache: Any) -> int | None:
    if not isinstance(cache, KVCache) or cache.empty():
        return None
    return group_size_for(cache.keys.shape[-1], cache.values.shape[-1])


def _reason(cache: Any) -> str:
    """Say what a cache that is not quantized holds; empty where it is never used."""
    if cache.empty():
        return ""
    if isinstance(cache, KVCache):
        sizes = sorted({cache.keys.shape[-1], cache.values.shape[-1]})
        groups = " or ".join(str(size) for size in sorted(GROUP_SIZES))
        dimensions = " and ".join(str(size) for size in sizes)
        return f"heads of {dimensions} numbers (no multiple of {groups})"
    if isinstance(cache, RotatingKVCache):
        return "a sliding window"
    if isinstance(cache, ChunkedKVCache):
        return "a chunk of the context"
    if isinstance(cache, ArraysCache):
        return "a recurrent state"
    return "a cache of their own kind"


def _refusal(notes: tuple[str, ...]) -> str:
    """Turn notes on single layers into one that says that nothing is quantized."""
    reasons = "; ".join(note.removeprefix("kv_bits: ").rstrip(".") for note in notes)
    return f"kv_bits is not possible: {reasons or 'the model has no KV cache'}."
