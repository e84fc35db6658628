"""Figures of a load: percentiles of its times, and ratios of two servers' pairs.

Everything is frozen and of plain numbers, so that it prints, stores and charts alike.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from inference.client.load import LoadResult
    from inference.client.wire import StreamTiming


@dataclass(frozen=True, slots=True)
class Spread:
    """Percentiles of many durations, in seconds."""

    p50: float
    p95: float
    p99: float

    @classmethod
    def of(cls, samples: Iterable[float]) -> Spread | None:
        """Return the percentiles; of nothing, `None`."""
        ordered = sorted(samples)
        if not ordered:
            return None
        return cls(*(percentile(ordered, share) for share in (0.5, 0.95, 0.99)))


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return a percentile of sorted samples, interpolated between its neighbours."""
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


@dataclass(frozen=True, slots=True)
class LevelFigures:
    """What one server did with so many requests at a time, all rounds together.

    `ttft`: to the first text; `inter_token`: an answer's mean time per token after
    the first; `chunk_gap`: between two chunks of one answer; `total`: a whole answer.
    """

    concurrency: int
    requests: int
    errors: int
    first_error: str
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    wall_s: float
    tokens_per_s: float
    ttft: Spread | None
    inter_token: Spread | None
    chunk_gap: Spread | None
    total: Spread | None

    @classmethod
    def of(cls, concurrency: int, rounds: Sequence[LoadResult]) -> LevelFigures:
        """Sum up the rounds of one level."""
        answers = [answer for result in rounds for answer in result.answers]
        errors = [error for result in rounds for error in result.errors]
        wall_s = sum(result.wall_s for result in rounds)
        tokens = sum(result.tokens for result in rounds)
        return cls(
            concurrency=concurrency,
            requests=len(answers) + len(errors),
            errors=len(errors),
            first_error=errors[0] if errors else "",
            prompt_tokens=sum(answer.prompt_tokens for answer in answers),
            cached_tokens=sum(answer.cached_tokens for answer in answers),
            completion_tokens=tokens,
            wall_s=wall_s,
            tokens_per_s=tokens / wall_s if wall_s else 0.0,
            ttft=Spread.of(answer.ttft_s for answer in answers),
            inter_token=Spread.of(_inter_tokens(answers)),
            chunk_gap=Spread.of(gap for answer in answers for gap in answer.gaps_s),
            total=Spread.of(answer.total_s for answer in answers),
        )


@dataclass(frozen=True, slots=True)
class Pair:
    """One round of two servers, a moment after each other: this one ÷ the other."""

    concurrency: int
    number: int
    is_this_first: bool
    tokens_per_s: tuple[float, float]
    tokens_per_s_ratio: float | None
    ttft_ratio: float | None
    inter_token_ratio: float | None
    total_ratio: float | None

    @classmethod
    def of(
        cls,
        concurrency: int,
        number: int,
        results: tuple[LoadResult, LoadResult],
        *,
        is_this_first: bool,
    ) -> Pair:
        """Compare the medians of one round."""
        this, other = (LevelFigures.of(concurrency, [result]) for result in results)
        return cls(
            concurrency=concurrency,
            number=number,
            is_this_first=is_this_first,
            tokens_per_s=(this.tokens_per_s, other.tokens_per_s),
            tokens_per_s_ratio=_ratio(this.tokens_per_s, other.tokens_per_s),
            ttft_ratio=_ratio_of_medians(this.ttft, other.ttft),
            inter_token_ratio=_ratio_of_medians(this.inter_token, other.inter_token),
            total_ratio=_ratio_of_medians(this.total, other.total),
        )


@dataclass(frozen=True, slots=True)
class SpeedRange:
    """The median of some ratios, and how far they lie apart."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, ratios: Iterable[float | None]) -> SpeedRange | None:
        """Return the range of what is known; of nothing, `None`."""
        known = [ratio for ratio in ratios if ratio is not None]
        if not known:
            return None
        return cls(statistics.median(known), min(known), max(known))


@dataclass(frozen=True, slots=True)
class LevelRatios:
    """All pairs of one level: this server ÷ the other."""

    concurrency: int
    pairs: int
    tokens_per_s: SpeedRange | None
    ttft: SpeedRange | None
    inter_token: SpeedRange | None
    total: SpeedRange | None

    @classmethod
    def of(cls, concurrency: int, pairs: Sequence[Pair]) -> LevelRatios:
        """Sum up the pairs of one level."""
        return cls(
            concurrency=concurrency,
            pairs=len(pairs),
            tokens_per_s=SpeedRange.of(pair.tokens_per_s_ratio for pair in pairs),
            ttft=SpeedRange.of(pair.ttft_ratio for pair in pairs),
            inter_token=SpeedRange.of(pair.inter_token_ratio for pair in pairs),
            total=SpeedRange.of(pair.total_ratio for pair in pairs),
        )


def _inter_tokens(answers: Iterable[StreamTiming]) -> Iterable[float]:
    for answer in answers:
        if answer.completion_tokens > 1:
            yield (answer.total_s - answer.ttft_s) / (answer.completion_tokens - 1)


def _ratio(this: float, other: float) -> float | None:
    return this / other if this and other else None


def _ratio_of_medians(this: Spread | None, other: Spread | None) -> float | None:
    return _ratio(this.p50, other.p50) if this and other else None
