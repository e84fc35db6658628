"""When an answer's tokens came: the first, the last, and the gaps between.

Gaps are counted in buckets 4 % apart, so that a long answer takes no more memory
than a short one.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

_STEP = math.log(1.04)
_LEAST_S = 1e-5


@dataclass(slots=True)
class Gaps:
    """Counts durations; tells their percentiles to within 2 %."""

    longest_s: float = 0.0
    _counts: Counter[int] = field(default_factory=Counter)

    def add(self, seconds: float) -> None:
        """Count one."""
        self.longest_s = max(self.longest_s, seconds)
        self._counts[int(math.log(max(seconds, _LEAST_S) / _LEAST_S) / _STEP)] += 1

    def percentile(self, share: float) -> float | None:
        """Return what `share` of all do not exceed; `None` where there are none."""
        left = share * self._counts.total()
        for bucket, count in sorted(self._counts.items()):
            left -= count
            if left <= 0:
                middle_s = _LEAST_S * math.exp((bucket + 0.5) * _STEP)
                return min(middle_s, self.longest_s)
        return None


@dataclass(slots=True)
class DecodeTimes:
    """Times on one monotonic clock; the choices of an answer interleave."""

    first_at: float | None = None
    last_at: float | None = None
    _gaps: Gaps = field(default_factory=Gaps)
    _last_of: dict[int, float] = field(default_factory=dict)

    def arrived(self, now: float, choice: int) -> bool:
        """Note that a choice gained tokens; return whether they are the first."""
        is_first = self.first_at is None
        if is_first:
            self.first_at = now
        before = self._last_of.get(choice)
        if before is not None:
            self._gaps.add(now - before)
        self._last_of[choice] = self.last_at = now
        return is_first

    def figures(
        self, *, born: float, working_s: float, tokens: int, choices: int
    ) -> dict[str, float]:
        """Return times and speeds by their names in the record, as far as it came.

        `working_s` is the whole time without the queue.
        """
        if self.first_at is None or self.last_at is None:
            return {}
        # Decode ends with its last token, not with the client's last byte.
        decode_s = self.last_at - self.first_at
        figures = {"ttft_s": self.first_at - born, "decode_s": decode_s}
        # The choices' first tokens come together and belong to the prefill.
        decoded = tokens - choices
        if decoded > 0 and decode_s > 0:
            figures["decode_tps"] = decoded / decode_s
            figures["itl_mean_s"] = decode_s * choices / decoded
        slow_s = self._gaps.percentile(0.99)
        if slow_s is not None:
            figures["itl_p99_s"] = slow_s
        if tokens and working_s > 0:
            figures["tps"] = tokens / working_s
        return figures
