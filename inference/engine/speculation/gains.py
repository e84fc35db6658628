"""Whether proposals pay: what they gained and cost, as measured in this process.

The unit of all accounts is a plain step: the time that one decode step of the
same row takes without the draft. Pure arithmetic; times are given.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

DEPTH_MOST = 8
# Plain steps measured before the first run, at the start of each row, and again
# after so many tokens: a longer context makes steps slower.
PLAIN_AT_FIRST = 3
PLAIN_PER_ROW = 1
PLAIN_AGAIN = 2
TOKENS_UNTIL_PLAIN = 256
# A draft may lose so many plain steps when it is new, then these shares of the
# plain steps made without it. A trial begins once it may lose TRIAL_CREDIT.
CREDIT_FIRST = 12.0
CREDIT_MOST = 16.0
CREDIT_SHARE = 0.02
TRIAL_CREDIT = 4.0
ROW_CREDIT = 1.0
# What may be spent on bringing the draft to where a row is.
SAVINGS_FIRST = 48.0
SAVINGS_MOST = 512.0
SAVINGS_SHARE = 0.01
SAVED_OF_GAINS = 0.5
SMALL_COST = 4.0
# A single slow run (the machine was busy elsewhere) counts no more than this.
LOSS_MOST = 8.0
RUNS_PER_LOOK_AROUND = 8
# To read a token before the next step is launched, for nothing.
WAIT_COST = 0.25
LENGTH_FIRST = 128.0
LENGTH_LEFT_LEAST = 32.0
# What a token gains with a draft, before that is known; what was known grows old
# with the plain steps that are made without it.
GAIN_FIRST = 0.25
GAIN_AGES = 0.002


class DraftMode(Enum):
    """How the draft proposes; each is judged by itself."""

    GREEDY = "greedy"  # its likeliest token, as the row does too
    LIKELIEST = "likeliest"  # its likeliest token, where the row samples
    DRAWN = "drawn"  # sampled as the row samples, with the same numbers
    COPIED = "copied"  # what followed the same words before
    FORCED = "forced"  # what a grammar leaves no choice about


@dataclass(slots=True)
class AcceptanceRate:
    """How often lately a proposed token was the one; those behind a miss not counted.

    It begins hopeful, so that it is tried.
    """

    hits: float = 3.0
    tries: float = 4.0

    @property
    def share(self) -> float:
        """The probability that the next proposal is right."""
        return self.hits / self.tries

    def add(self, depth: int, accepted: int) -> None:
        """Take a run in which the first `accepted` of `depth` proposals were right."""
        self.hits = 0.9 * self.hits + accepted
        self.tries = 0.9 * self.tries + accepted + (accepted < depth)

    def tokens(self, depth: int) -> float:
        """Return how many tokens a run of `depth` proposals may be expected to give."""
        return float(sum(self.share**i for i in range(depth + 1)))


class CostModel:
    """What a run costs by its depth: a line through what was measured lately."""

    def __init__(self) -> None:
        self._weight = self._depths = self._squares = 0.0
        self._costs = self._products = 0.0
        self._level, self._slope = 1.25, 0.25

    def add(self, depth: int, cost: float) -> None:
        """Take the cost of one run."""
        keep = 0.95
        self._weight = keep * self._weight + 1.0
        self._depths = keep * self._depths + depth
        self._squares = keep * self._squares + depth * depth
        self._costs = keep * self._costs + cost
        self._products = keep * self._products + depth * cost
        mean_depth = self._depths / self._weight
        mean_cost = self._costs / self._weight
        spread = self._squares - self._depths * mean_depth
        trend = self._products - self._depths * mean_cost
        # Where depths hardly differ, what was known of the slope stays.
        slope = (trend + self._slope) / (spread + 1.0)
        self._slope = min(max(slope, 0.01), 4.0)
        self._level = mean_cost - self._slope * mean_depth

    def at(self, depth: int) -> float:
        """Return what a run of `depth` proposals may be expected to cost."""
        return max(self._level + self._slope * depth, 0.1)


class DraftGains:
    """Decides how much is drafted and when not at all.

    The loss is bounded: by what was gained before, and by three in a hundred
    plain steps. Rows call `begin_row` and `end_row`.
    """

    def __init__(self, depth_most: int = DEPTH_MOST) -> None:
        self._depth_most = depth_most
        self._plain_s = 0.0
        self._plain_due = PLAIN_AT_FIRST
        self._tokens_since_plain = 0
        self._is_on = True
        self._credit = CREDIT_FIRST
        self._savings = SAVINGS_FIRST
        self._gain_per_token = GAIN_FIRST
        self._row_tokens = LENGTH_FIRST
        self._runs = 0
        self._known_depths: set[int] = set()
        self._cost = CostModel()
        self._rates = {mode: AcceptanceRate() for mode in DraftMode}

    def begin_row(self) -> None:
        """Another row is to be decoded: perhaps the draft suits it better."""
        self._plain_due = max(self._plain_due, PLAIN_PER_ROW)
        self._is_on = self._is_on or self._credit >= ROW_CREDIT

    def end_row(self, tokens: int) -> None:
        """Take how long an answer became."""
        self._row_tokens += 0.1 * (tokens - self._row_tokens)

    def mode(self, *, is_greedy: bool) -> DraftMode:
        """Return how to propose: what agreed more lately, now and then the other."""
        if is_greedy:
            return DraftMode.GREEDY
        modes = [DraftMode.DRAWN, DraftMode.LIKELIEST]
        modes.sort(key=lambda mode: -self._rates[mode].share)
        return modes[self._runs % (2 * RUNS_PER_LOOK_AROUND) == 1]

    def depth(self, most: int, mode: DraftMode) -> int:
        """Return how many tokens to propose next, at most `most`; 0: a plain step."""
        if most < 1 or not self._is_on or self._plain_due > 0:
            return 0
        rate = self._rates[mode]
        depths = range(1, self._depth_most + 1)
        best = max(depths, key=lambda d: rate.tokens(d) / self._cost.at(d))
        # Looking to both sides keeps the costs of other depths known.
        turn = self._runs % (2 * RUNS_PER_LOOK_AROUND)
        best += {3: 1, 3 + RUNS_PER_LOOK_AROUND: -1}.get(turn, 0)
        return min(max(best, 1), self._depth_most, most)

    def affords(self, seconds: float, *, tokens_so_far: int, tokens_most: int) -> bool:
        """Whether so long a catch-up of the draft is worth it for a row."""
        if not self._plain_s:
            return False
        cost = seconds / self._plain_s
        if cost > self._savings:
            return False
        # What has become long may well become longer.
        expected = max(self._row_tokens - tokens_so_far, tokens_so_far / 2)
        left = min(max(expected, LENGTH_LEFT_LEAST), tokens_most - tokens_so_far)
        gain = self._gain_per_token * left
        return cost <= max(SMALL_COST, gain)

    # --- what was measured

    def saw_plain(self, seconds: float) -> None:
        """Take the time of a decode step without the draft."""
        if self._plain_s:
            # Once the machine is busy elsewhere, one step says little.
            seconds = min(seconds, 3.0 * self._plain_s)
            self._plain_s += 0.2 * (seconds - self._plain_s)
        else:
            self._plain_s = seconds
        self._plain_due = max(self._plain_due - 1, 0)
        self._credit = min(self._credit + CREDIT_SHARE, CREDIT_MOST)
        self._savings = min(self._savings + SAVINGS_SHARE, SAVINGS_MOST)
        self._gain_per_token += GAIN_AGES * (GAIN_FIRST - self._gain_per_token)
        self._is_on = self._is_on or self._credit >= TRIAL_CREDIT

    def saw_catch_up(self, seconds: float) -> None:
        """Take the time that bringing the draft to where a row is took."""
        self._savings -= seconds / self._plain_s

    def saw_wait(self) -> None:
        """Take that a token was waited for and nothing was proposed."""
        self._credit -= WAIT_COST
        self._is_on = self._credit > 0.0

    def saw_run(
        self, depth: int, accepted: int, seconds: float, mode: DraftMode
    ) -> None:
        """Take a run: how many were proposed, how many were right, how long it took."""
        self._runs += 1
        self._rates[mode].add(depth, accepted)
        self._count_to_next_plain(accepted + 1)
        if depth not in self._known_depths:
            # Kernels may have been compiled in it.
            self._known_depths.add(depth)
            return
        tokens = accepted + 1
        cost = min(seconds / self._plain_s, tokens + LOSS_MOST)
        gain = tokens - cost
        self._cost.add(depth, cost)
        self._gain_per_token += 0.05 * (gain / tokens - self._gain_per_token)
        self._credit = min(self._credit + gain, CREDIT_MOST)
        saved = SAVED_OF_GAINS * max(gain, 0.0)
        self._savings = min(self._savings + saved, SAVINGS_MOST)
        self._is_on = self._credit > 0.0

    def _count_to_next_plain(self, tokens: int) -> None:
        self._tokens_since_plain += tokens
        if self._tokens_since_plain >= TOKENS_UNTIL_PLAIN:
            self._tokens_since_plain = 0
            self._plain_due = PLAIN_AGAIN
