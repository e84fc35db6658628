"""The parameters: their columns, what they may hold, and what they are called."""

from __future__ import annotations

from dataclasses import dataclass

from inference.core.outcomes import FinishReason, Outcome, RequestKind
from metrics.models.requests import STRUCTURES

# Stands for the empty value of a column.
NONE = "none"


@dataclass(frozen=True, slots=True)
class Choice:
    """A column that holds one of several words; `allowed` is empty where any may be.

    `is_indexed`: the table has an index by this column and time.
    """

    name: str
    column: str
    label: str
    allowed: tuple[str, ...] = ()
    empty: str = "none"
    is_indexed: bool = True


@dataclass(frozen=True, slots=True)
class Range:
    """A column that holds a number, asked for by `min_` and `max_`."""

    name: str
    label: str
    most: float
    unit: str = ""
    is_whole: bool = False

    @property
    def least_name(self) -> str:
        """The parameter of its lower end."""
        return f"min_{self.name}"

    @property
    def most_name(self) -> str:
        """The parameter of its upper end."""
        return f"max_{self.name}"


@dataclass(frozen=True, slots=True)
class Presence:
    """A column that holds something or `nothing`, asked for by yes or no."""

    name: str
    label: str
    nothing: object


# Those with an index by the column and time come in the order in which they are
# likely to leave the fewest rows.
CHOICES = {
    choice.name: choice
    for choice in (
        Choice("session", "session_id", "session"),
        Choice("user", "user", "user"),
        Choice("reason", "reason", "error code"),
        Choice("key", "key_name", "key"),
        Choice("model", "model", "model"),
        Choice("outcome", "outcome", "outcome", tuple(Outcome)),
        Choice(
            "finish_reason",
            "finish_reason",
            "finish reason",
            tuple(FinishReason),
        ),
        Choice("endpoint", "endpoint", "endpoint"),
        Choice("kind", "kind", "type", tuple(filter(None, RequestKind)), empty="other"),
        Choice("node", "node", "node", is_indexed=False),
        Choice(
            "structured",
            "structured",
            "structure",
            tuple(word for word, _ in STRUCTURES),
            empty="free",
            is_indexed=False,
        ),
    )
}
RANGES = {
    one.name: one
    for one in (
        Range("prompt_tokens", "tokens in", 1e9, is_whole=True),
        Range("completion_tokens", "tokens out", 1e9, is_whole=True),
        Range("ttft_s", "TTFT", 1e7, "s"),
        Range("total_s", "duration", 1e7, "s"),
        Range("queue_s", "wait", 1e7, "s"),
        Range("tps", "speed", 1e6, "tok/s"),
    )
}
PRESENCES = {
    one.name: one
    for one in (
        Presence("tool_calls", "tool calls", 0),
        Presence("warnings", "warnings", []),
    )
}
NAMES = (
    "hours",
    "from",
    "to",
    *CHOICES,
    *(name for one in RANGES.values() for name in (one.least_name, one.most_name)),
    *PRESENCES,
    "q",
)
