"""One sampler for all rows of a batch: arrays in, one token per row out.

Temperature scales first, then top-k, min-p and top-p keep the likely tokens and
XTC may take the likeliest of them away, then one uniform number per row picks from what is left (inverse of the
cumulative distribution). The uniform numbers come from one random stream per
row, so a seed gives the same text whatever else is in the batch. Nothing here
reads an array back: the result stays lazy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import mlx.core as mx

if TYPE_CHECKING:
    from inference.engine.sequences.row_sampler import RowSampler

# Twenty halvings of a span of 24 nats find top-p's cut to within 2.3e-5 nats.
_BISECTIONS = 20
_SPAN_NATS = 24.0


class BatchSampler:
    """Samples for a fixed list of rows; rebuilt when rows join or leave."""

    def __init__(self, rows: list[RowSampler]) -> None:
        self._greedy = [i for i, row in enumerate(rows) if row.is_greedy]
        self._drawn = [i for i, row in enumerate(rows) if not row.is_greedy]
        self._rows = [rows[i] for i in self._drawn]
        self._filters = _filters_for(self._rows)
        if self._rows:
            temperatures = [row.spec.temperature for row in self._rows]
            self._inverse_temperature = mx.array([[1.0 / t] for t in temperatures])
        if self._greedy and self._drawn:
            order = self._greedy + self._drawn
            positions = sorted(range(len(order)), key=order.__getitem__)
            self._restore = mx.array(positions)

    def __call__(self, logits: mx.array) -> mx.array:
        """Return one token id per row of `logits` (rows, vocabulary), lazily."""
        if not self._drawn:
            return mx.argmax(logits, axis=-1)
        if not self._greedy:
            return self._draw_from(logits)
        greedy = mx.argmax(logits[mx.array(self._greedy)], axis=-1)
        drawn = self._draw_from(logits[mx.array(self._drawn)])
        return mx.concatenate([greedy, drawn])[self._restore]

    def _draw_from(self, logits: mx.array) -> mx.array:
        scaled = logits.astype(mx.float32) * self._inverse_temperature
        weights = mx.exp(scaled - mx.max(scaled, axis=-1, keepdims=True))
        for keep in self._filters:
            weights = keep(weights)
        cumulative = mx.cumsum(weights, axis=-1)
        draws = mx.array([[row.draw()] for row in self._rows])
        target = cumulative[:, -1:] * draws
        # Sums that run in parallel may creep up over entries that weigh nothing.
        picked = mx.argmax((cumulative > target) & (weights > 0), axis=-1)
        return picked.astype(mx.uint32)


Filter = Callable[[mx.array], mx.array]


def _filters_for(rows: list[RowSampler]) -> list[Filter]:
    """Return the filters that at least one row needs, in order.

    Each sees only the rows that need it: one row with top-p must not make the
    others pay for twenty halvings.
    """

    kinds: list[tuple[Callable[[RowSampler], bool], Callable[..., Filter]]] = [
        (lambda row: row.spec.top_k > 0, _top_k_filter),
        (lambda row: row.spec.min_p > 0.0, _min_p_filter),
        (lambda row: row.spec.top_p < 1.0, _top_p_filter),
        (lambda row: row.spec.xtc_probability > 0.0, _xtc_filter),
    ]
    filters = []
    for needs, make in kinds:
        at = [i for i, row in enumerate(rows) if needs(row)]
        if at:
            keep = make([rows[i] for i in at])
            filters.append(keep if len(at) == len(rows) else _for_rows(at, keep))
    return filters


def _for_rows(at: list[int], keep: Filter) -> Filter:
    """Return a filter that leaves all rows but those in `at` as they are."""
    index = mx.array(at)

    def keep_some(weights: mx.array) -> mx.array:
        kept = keep(weights[index])
        weights[index] = kept
        return weights

    return keep_some


def _min_p_filter(rows: list[RowSampler]) -> Filter:
    """Keep the weights above a share of the heaviest, whose weight is one."""
    floors = mx.array([[row.spec.min_p] for row in rows])
    return lambda weights: mx.where(weights >= floors, weights, 0.0)


def _top_k_filter(rows: list[RowSampler]) -> Filter:
    """Keep each row's k heaviest weights (ties with the last are kept too)."""
    ks = [row.spec.top_k for row in rows]

    def keep(weights: mx.array) -> mx.array:
        vocabulary = weights.shape[-1]
        wanted = [min(k, vocabulary) if k > 0 else vocabulary for k in ks]
        limited = [k for k in wanted if k < vocabulary]
        if not limited:
            return weights
        widest = max(limited)
        heaviest = mx.sort(mx.topk(weights, widest, axis=-1), axis=-1)
        at = mx.array([[max(widest - k, 0)] for k in wanted])
        cut = mx.take_along_axis(heaviest, at, axis=-1)
        unlimited = mx.array([[k >= vocabulary] for k in wanted])
        return mx.where(unlimited | (weights >= cut), weights, 0.0)

    return keep


def _top_p_filter(rows: list[RowSampler]) -> Filter:
    """Keep each row's smallest set of heaviest weights that holds top-p of all.

    The cut is found by bisection over the log of the weight, not by sorting: a
    sort of 50,000 entries costs ten times as much on a CPU.
    """
    shares = mx.array([[row.spec.top_p] for row in rows])

    def keep(weights: mx.array) -> mx.array:
        wanted = shares * mx.sum(weights, axis=-1, keepdims=True)
        low = mx.full(shares.shape, -_SPAN_NATS)
        high = mx.zeros(shares.shape)
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            held = mx.sum(
                mx.where(weights >= mx.exp(middle), weights, 0.0),
                axis=-1,
                keepdims=True,
            )
            enough = held >= wanted
            low = mx.where(enough, middle, low)
            high = mx.where(enough, high, middle)
        everything = shares >= 1.0
        return mx.where(everything | (weights >= mx.exp(low)), weights, 0.0)

    return keep


def _xtc_filter(rows: list[RowSampler]) -> Filter:
    """Take away all but the least likely of the tokens above a row's threshold.

    Each row throws a coin at each step; the tokens that end an answer stay.
    """
    thresholds = mx.array([[row.spec.xtc_threshold] for row in rows])
    wanted = [row.spec.xtc_probability for row in rows]

    def keep(weights: mx.array) -> mx.array:
        coins = [
            p > 0.0 and row.draw() < p for p, row in zip(wanted, rows, strict=True)
        ]
        if not any(coins):
            return weights
        shares = weights / mx.sum(weights, axis=-1, keepdims=True)
        above = shares > thresholds
        least = mx.min(mx.where(above, shares, mx.inf), axis=-1, keepdims=True)
        gone = above & (shares > least) & mx.array(coins)[:, None]
        kept = mx.where(gone, 0.0, weights)
        for i, row in enumerate(rows):
            if coins[i] and row.kept:
                ends = mx.array(row.kept)
                kept[i, ends] = weights[i, ends]
        return kept

    return keep
