"""Where a request's time went, as spans and as the geometry of a bar.

Positions and widths are percentages written as text: they stand in SVG
attributes, since the pages allow no inline styles.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from metrics.figures import seconds_text, share_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from metrics.models import RequestLog

# In the order in which a request passes them.
PHASE_COLUMNS = {
    "load": "load_s",
    "prepare": "prepare_s",
    "queue": "queue_s",
    "prefill": "prefill_s",
    "decode": "decode_s",
}
_MOST_TICKS = 6
# Thinner than this cannot be seen.
_LEAST_WIDTH = 0.6


@dataclass(frozen=True, slots=True)
class Span:
    """One phase: when it began after the request's arrival, and how long it took."""

    phase: str
    at_s: float
    took_s: float
    total_s: float

    @property
    def at_text(self) -> str:
        """When it began, as text."""
        return seconds_text(self.at_s)

    @property
    def took_text(self) -> str:
        """How long it took, as text."""
        return seconds_text(self.took_s)

    @property
    def share_text(self) -> str:
        """Which share of the whole it took, as text."""
        return share_text(self.took_s, self.total_s)


@dataclass(frozen=True, slots=True)
class Mark:
    """A piece of a bar or a tick below it."""

    name: str
    x: str
    width: str = ""
    anchor: str = "middle"


@dataclass(frozen=True, slots=True)
class Timeline:
    """A request's phases, drawn to a scale of `scale_s` seconds."""

    spans: tuple[Span, ...]
    total_s: float
    ttft_s: float | None
    scale_s: float

    @classmethod
    def of(cls, row: RequestLog, *, scale_s: float | None = None) -> Timeline:
        """Return the timeline of a row, to its own length unless told otherwise."""
        took = {
            phase: seconds
            for phase, column in PHASE_COLUMNS.items()
            if (seconds := getattr(row, column)) is not None
        }
        total_s = max(row.total_s or 0.0, sum(took.values()))
        spans, at_s = [], 0.0
        for phase, took_s in took.items():
            spans.append(Span(phase, at_s, took_s, total_s))
            at_s += took_s
        return cls(tuple(spans), total_s, row.ttft_s, scale_s or total_s)

    @property
    def label(self) -> str:
        """The same in words, for those who do not see the bar."""
        return ", ".join(f"{span.phase} {span.took_text}" for span in self.spans)

    @property
    def bars(self) -> list[Mark]:
        """One piece per phase; what leads beyond the scale is cut off."""
        return [
            Mark(span.phase, self._percent(span.at_s), self._width(span))
            for span in self.spans
            if self.scale_s and span.at_s < self.scale_s
        ]

    @property
    def ticks(self) -> list[Mark]:
        """Round times along the axis, from zero."""
        if not self.scale_s:
            return []
        step_s = _round_step(self.scale_s / _MOST_TICKS)
        count = int(self.scale_s / step_s) + 1
        return [self._tick(number * step_s) for number in range(count)]

    @property
    def first_token(self) -> Mark | None:
        """Where the first token came."""
        if self.ttft_s is None or not self.scale_s:
            return None
        is_late = self.ttft_s > 0.7 * self.scale_s
        name = f"first token, {seconds_text(self.ttft_s)}"
        anchor = "end" if is_late else "start"
        return Mark(name, self._percent(self.ttft_s), anchor=anchor)

    def _tick(self, at_s: float) -> Mark:
        share = at_s / self.scale_s
        anchor = "start" if share < 0.04 else "end" if share > 0.96 else "middle"
        return Mark(_tick_text(at_s), self._percent(at_s), anchor=anchor)

    def _percent(self, at_s: float) -> str:
        return f"{min(100.0, 100 * at_s / self.scale_s):.2f}%"

    def _width(self, span: Span) -> str:
        room = 100 * (1 - span.at_s / self.scale_s)
        width = max(_LEAST_WIDTH, 100 * span.took_s / self.scale_s)
        return f"{min(room, width):.2f}%"


def common_scale(rows: Iterable[RequestLog]) -> float | None:
    """Return a length that suits most of `rows`: a few long ones are cut off."""
    lengths = sorted(row.total_s for row in rows if row.total_s)
    if not lengths:
        return None
    return lengths[min(len(lengths) - 1, int(0.9 * len(lengths)))]


def _round_step(least_s: float) -> float:
    """Return the next of 1, 2, 5, 10, 20, ... that is at least `least_s`."""
    magnitude = 10.0 ** math.floor(math.log10(least_s))
    for factor in (1, 2, 5):
        if factor * magnitude >= least_s:
            return factor * magnitude
    return 10 * magnitude


def _tick_text(at_s: float) -> str:
    if 0 < at_s < 1:
        return f"{at_s * 1000:g} ms"
    return f"{at_s:g} s"
