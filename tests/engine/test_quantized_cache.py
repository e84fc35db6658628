"""The quantized cache alone: what goes in comes out, for rows and for batches."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
import pytest
from mlx_lm.models.cache import KVCache

from inference.engine.caches.quantized import (
    Quantization,
    QuantizedCache,
    attends_packed,
    group_size_for,
)

HEADS = 2
EIGHT = Quantization(bits=8, group_size=32, is_read_packed=True)
FOUR = Quantization(bits=4, group_size=32, is_read_packed=True)


def numbers(positions: int, seed: int, dimensions: int = 64) -> mx.array:
    shape = (1, HEADS, positions, dimensions)
    return mx.random.normal(shape, key=mx.random.key(seed))


def fill(cache: Any, positions: int, seed: int) -> Any:
    cache.update_and_fetch(numbers(positions, seed), numbers(positions, seed + 1000))
    return cache


def row(positions: int, seed: int) -> QuantizedCache:
    cache: QuantizedCache = fill(QuantizedCache(EIGHT), positions, seed)
    return cache


def same(one: QuantizedCache, other: QuantizedCache) -> bool:
    """Whether two single rows hold the same numbers, bit for bit."""
    pairs = zip(one.parts, other.parts, strict=True)
    return all(
        mx.array_equal(mine, theirs)
        for pair in pairs
        for mine, theirs in zip(*(part.keys_and_values() for part in pair), strict=True)
    )


def cost_of(cache: Any, dtype: mx.Dtype) -> int:
    cache.update_and_fetch(numbers(256, 1).astype(dtype), numbers(256, 2).astype(dtype))
    return int(cache.nbytes)


@pytest.mark.parametrize(("plan", "steps"), [(EIGHT, 255), (FOUR, 15)])
def test_it_gives_back_what_it_was_given_but_for_rounding(
    plan: Quantization, steps: int
) -> None:
    given = numbers(9, seed=1)
    got, _ = QuantizedCache(plan).update_and_fetch(given, given)
    groups = given.reshape(1, HEADS, 9, -1, plan.group_size)
    step = (groups.max(axis=-1) - groups.min(axis=-1)) / steps
    errors = mx.abs(got - given).reshape(groups.shape).max(axis=-1)
    assert mx.all(errors <= step)
    assert errors.max() > 0


def test_it_holds_the_same_numbers_however_a_prompt_is_cut() -> None:
    keys, values = numbers(40, seed=1), numbers(40, seed=2)
    whole, cut = QuantizedCache(EIGHT), QuantizedCache(EIGHT)
    whole.update_and_fetch(keys, values)
    for start, end in ((0, 1), (1, 8), (8, 9), (9, 38), (38, 40)):
        cut.update_and_fetch(keys[:, :, start:end], values[:, :, start:end])
    assert same(whole, cut)
    assert whole.offset == cut.offset == cut.size() == 40


@pytest.mark.parametrize(
    ("bits", "dtype", "bits_a_number"),
    [
        (8, mx.float32, 8 + 2 * 32 / 64),
        (4, mx.float32, 4 + 2 * 32 / 64),
        (8, mx.bfloat16, 8 + 2 * 16 / 64),
        (4, mx.bfloat16, 4 + 2 * 16 / 64),
    ],
)
def test_it_takes_its_bits_and_the_scales(
    bits: int, dtype: mx.Dtype, bits_a_number: float
) -> None:
    plan = Quantization(bits, group_size=64, is_read_packed=True)
    share = cost_of(QuantizedCache(plan), dtype) / cost_of(KVCache(), dtype)
    assert share == bits_a_number / (8 * dtype.size)


def test_rows_come_out_of_a_batch_as_they_went_in() -> None:
    rows = [row(5, seed=1), row(300, seed=2), row(3, seed=3)]
    batch = rows[0].merge(rows)
    assert batch.size() == 300
    assert batch.offset.tolist() == [5, 300, 3]
    assert all(same(batch.extract(place), one) for place, one in enumerate(rows))


def test_a_padded_prompt_is_as_if_it_had_come_alone() -> None:
    lengths = [7, 4, 6]
    alone = [row(length, seed) for seed, length in enumerate(lengths)]
    batch = QuantizedCache.merge([QuantizedCache(EIGHT) for _ in lengths])
    batch.prepare(lengths=lengths, right_padding=[7 - length for length in lengths])

    def padded(seed: int) -> mx.array:
        rows = [numbers(n, place + seed) for place, n in enumerate(lengths)]
        junk = [mx.full((1, HEADS, 7 - n, 64), 9.0) for n in lengths]
        both = zip(rows, junk, strict=True)
        return mx.concatenate([mx.concatenate(pair, axis=2) for pair in both])

    keys, values = padded(0), padded(1000)
    batch.update_and_fetch(keys[:, :, :5], values[:, :, :5])
    batch.update_and_fetch(keys[:, :, 5:], values[:, :, 5:])
    batch.finalize()
    assert batch.offset.tolist() == lengths
    assert all(same(batch.extract(place), one) for place, one in enumerate(alone))


def test_rows_join_and_leave_without_touching_the_others() -> None:
    rows = [row(5, seed=1), row(9, seed=2), row(30, seed=3)]
    batch = rows[0].merge(rows[:2])
    batch.extend(rows[2].merge(rows[2:]))
    batch.filter([2, 1])
    assert same(batch.extract(0), rows[2])
    assert same(batch.extract(1), rows[1])
    batch.filter([1])
    assert batch.size() == 9
    assert same(batch.extract(0), rows[1])


def test_a_batch_that_went_on_holds_what_each_row_would_alone() -> None:
    rows = [row(5, seed=1), row(9, seed=2)]
    batch = rows[0].merge(rows)
    for step in range(3):
        news = [numbers(1, 10 * step + place) for place in range(2)]
        batch.update_and_fetch(mx.concatenate(news), mx.concatenate(news))
        for one, new in zip(rows, news, strict=True):
            one.update_and_fetch(new, new)
    assert all(same(batch.extract(place), one) for place, one in enumerate(rows))


def test_it_takes_the_newest_positions_back() -> None:
    cache = row(9, seed=1)
    assert cache.is_trimmable()
    assert cache.trim(4) == 4
    assert cache.offset == 5
    fill(cache, 4, seed=7)
    fresh = QuantizedCache(EIGHT)
    kept = (numbers(9, 1)[:, :, :5], numbers(9, 1001)[:, :, :5])
    fresh.update_and_fetch(*kept)
    assert same(cache, fill(fresh, 4, seed=7))


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("dtype", [mx.float32, mx.bfloat16])
def test_attention_reads_packed_numbers_as_it_reads_unpacked_ones(
    bits: int, dtype: mx.Dtype
) -> None:
    plan = Quantization(bits, group_size=64, is_read_packed=True)
    keys, values = numbers(1, 1, 128).astype(dtype), numbers(1, 1).astype(dtype)
    assert attends_packed(plan, keys, values)


def test_it_does_not_take_attention_for_right_that_cannot_run() -> None:
    misfit = Quantization(bits=8, group_size=64, is_read_packed=True)
    narrow = numbers(1, 1, dimensions=48)
    assert not attends_packed(misfit, narrow, narrow)


def test_it_says_that_it_is_packed_only_when_it_hands_out_packed_numbers() -> None:
    cache = row(9, seed=1)
    assert not hasattr(cache, "bits")
    keys, _ = cache.update_and_fetch(numbers(1, 2), numbers(1, 3))
    assert (cache.bits, cache.group_size, len(keys)) == (8, 32, 3)


def test_no_sums_pile_up_that_nobody_computes() -> None:
    """Attention asks for one offset; those of the other parts must come with it."""
    batch = row(5, seed=1).merge([row(5, seed=1), row(9, seed=2)])
    two = mx.concatenate([numbers(1, 1), numbers(1, 2)])
    for _ in range(3):
        batch.update_and_fetch(two, two)
    assert all(part.offset is batch.offset for part in batch.parts)


def test_an_empty_cache_costs_nothing_and_says_that_it_is_empty() -> None:
    cache = QuantizedCache(EIGHT)
    assert (cache.empty(), cache.size(), cache.slots, cache.nbytes) == (True, 0, 0, 0)


@pytest.mark.parametrize(
    ("dimensions", "size"),
    [((128,), 64), ((96,), 32), ((192, 128), 64), ((80,), None), ((24,), None)],
)
def test_it_groups_what_all_head_dimensions_are_a_multiple_of(
    dimensions: tuple[int, ...], size: int | None
) -> None:
    assert group_size_for(*dimensions) == size
