"""The answer: one column per series, one entry per point.

`None` stands for nothing to say: the server did not run (`up` is false there), or
no request gave such a figure. `reasons` are those of errors and rejections, the most
frequent first; of the rare ones only the sum is told, as `other`. Counts are 0 where it ran and nothing came.
"""

from __future__ import annotations

import msgspec

Counts = list[int | None]
Figures = list[float | None]


class Percentiles(msgspec.Struct, frozen=True):
    """Of a time in seconds, from its histogram."""

    p50: Figures
    p95: Figures
    p99: Figures


class ChartSpeed(msgspec.Struct, frozen=True):
    """Tokens per second of single requests: mean, slowest, fastest."""

    avg: Figures
    min: Figures
    max: Figures


class Depth(msgspec.Struct, frozen=True):
    """How many waited and how many ran, as looked at many times a minute."""

    mean: Figures
    max: Counts
    running: Figures


class Use(msgspec.Struct, frozen=True):
    """What one key asked for in the whole range."""

    key: str
    requests: int
    prompt_tokens: int
    completion_tokens: int
    errors: int


class PeriodTotals(msgspec.Struct, frozen=True):
    """Figures of the whole range."""

    requests: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    errors: int
    outcomes: dict[str, int]
    ttft_p50_s: float | None
    ttft_p95_s: float | None
    tps_avg: float | None


class Before(msgspec.Struct, frozen=True):
    """The same of the equally long range before, to compare with."""

    requests: int
    errors: int


class ChartEvent(msgspec.Struct, frozen=True):
    """Something that happened, on the charts' time axis."""

    at: float
    kind: str
    text: str
    lost: bool


class Choices(msgspec.Struct, frozen=True):
    """What can be chosen: the values that the kept days hold."""

    model: list[str]
    endpoint: list[str]
    key: list[str]
    node: list[str]


class History(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the history page shows of one range.

    `start`, `end` and `at` are Unix seconds, `at` where each point begins; `down`
    holds the stretches in which no server ran. `models` is the order of the series.
    Events are the newest of the range; `events_left_out` says whether there are more.
    """

    start: int
    end: int
    now: int
    step: int
    level: str
    is_open: bool
    is_empty: bool
    at: list[int]
    up: list[bool]
    down: list[tuple[int, int]]
    models: list[str]
    requests: dict[str, Counts]
    prompt_tokens: dict[str, Counts]
    completion_tokens: dict[str, Counts]
    outcomes: dict[str, Counts]
    reasons: dict[str, Counts]
    reason_outcomes: dict[str, str]
    error_rate: Figures
    cache_hit_rate: Figures
    tps: ChartSpeed
    ttft: Percentiles
    inter_token: Percentiles
    queue: Percentiles
    depth: Depth
    memory: dict[str, Counts]
    budget: Counts
    keys: list[Use]
    totals: PeriodTotals
    before: Before
    events: list[ChartEvent]
    events_left_out: bool
    choices: Choices
