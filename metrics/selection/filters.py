"""The filters: each declares its parameters, reads and writes its value, says it in
words, and is a condition on rows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import F, Q, Value
from django.db.models.functions import Coalesce
from django.db.models.lookups import In

from inference.core.outcomes import FinishReason, Outcome, RequestKind
from metrics.models.requests import STRUCTURES
from metrics.selection import parsing
from metrics.selection.parameters import QueryParameter
from metrics.selection.parsing import SelectionError, given

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Bounds = tuple[float | None, float | None]

SEARCH_CHARACTERS = 200
_REQUEST_ID = re.compile(r"req-[0-9a-f]{32}")
_SEARCHED = ("request_id", "error", "user", "session_id")


@dataclass(frozen=True, slots=True)
class ChoiceFilter:
    """A column that holds one of several words; `allowed` is empty where any may be.

    `is_indexed`: the table has an index by this column and time.
    """

    name: str
    column: str
    label: str
    allowed: tuple[str, ...] = ()
    empty: str = "none"
    is_indexed: bool = True

    @property
    def parameters(self) -> tuple[QueryParameter, ...]:
        """What asks for it."""
        among = f" Allowed: {', '.join(self.allowed)}." if self.allowed else ""
        text = f"One {self.label}, or several separated by commas; `none`: the empty"
        return (QueryParameter(self.name, f"{text} value.{among}"),)

    def read(self, params: Mapping[str, str]) -> tuple[str, ...] | None:
        """Read the values."""
        text = given(params, self.name)
        return parsing.read_values(self.name, text, self.allowed) or None

    def write(self, values: tuple[str, ...]) -> dict[str, str]:
        """Return the parameters that `read` reads so."""
        return {self.name: parsing.write_values(values)}

    def text(self, values: tuple[str, ...]) -> str:
        """Say which values; outcomes speak for themselves."""
        named = " or ".join(map(self.value_text, values))
        return named if self.name == "outcome" else f"{self.label} {named}"

    def value_text(self, value: str) -> str:
        """Write one value as people do; only our own words lose their underscores."""
        if not value:
            return self.empty
        return value.replace("_", " ") if self.allowed else value

    def condition(self, values: tuple[str, ...]) -> In:
        """Return the condition in a form that no index answers.

        Without statistics SQLite may take the index of the wrong column, and walk
        through a million rows in it.
        """
        return In(Coalesce(F(self.column), Value("")), values)


@dataclass(frozen=True, slots=True)
class RangeFilter:
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

    @property
    def parameters(self) -> tuple[QueryParameter, ...]:
        """What asks for it."""
        kind = "integer" if self.is_whole else "number"
        schema = {"type": kind, "minimum": 0, "maximum": self.most}
        unit = f" ({self.unit})" if self.unit else ""
        return (
            QueryParameter(self.least_name, f"Minimum {self.label}{unit}.", schema),
            QueryParameter(self.most_name, f"Maximum {self.label}{unit}.", schema),
        )

    def read(self, params: Mapping[str, str]) -> Bounds | None:
        """Read both ends."""
        read = parsing.read_whole if self.is_whole else parsing.read_number
        least, most = (
            read(name, given(params, name), self.most)
            for name in (self.least_name, self.most_name)
        )
        if least is not None and most is not None and least > most:
            message = f"must not be less than {self.least_name}"
            raise SelectionError(self.most_name, message)
        return None if least is None and most is None else (least, most)

    def write(self, bounds: Bounds) -> dict[str, str]:
        """Return the parameters that `read` reads so."""
        ends = zip((self.least_name, self.most_name), bounds, strict=True)
        return {
            name: parsing.write_number(end) for name, end in ends if end is not None
        }

    def text(self, bounds: Bounds) -> str:
        """Say from what to what."""
        least, most = ("" if end is None else f"{end:,.12g}" for end in bounds)
        unit = f" {self.unit}" if self.unit else ""
        if not least:
            return f"{self.label} at most {most}{unit}"
        if not most:
            return f"{self.label} at least {least}{unit}"
        return f"{self.label} {least} to {most}{unit}"

    def condition(self, bounds: Bounds) -> Q:
        """Return the condition; what has no figure is left out."""
        least, most = bounds
        ends = {f"{self.name}__gte": least, f"{self.name}__lte": most}
        return Q(**{end: number for end, number in ends.items() if number is not None})


@dataclass(frozen=True, slots=True)
class Presence:
    """A column that holds something or `nothing`, asked for by yes or no."""

    name: str
    label: str
    nothing: object

    @property
    def parameters(self) -> tuple[QueryParameter, ...]:
        """What asks for it."""
        schema = {"type": "string", "enum": ["yes", "no"]}
        return (QueryParameter(self.name, f"With {self.label}, or without.", schema),)

    def read(self, params: Mapping[str, str]) -> bool | None:
        """Read yes or no."""
        return parsing.read_flag(self.name, given(params, self.name))

    def write(self, is_there: bool) -> dict[str, str]:
        """Return the parameters that `read` reads so."""
        return {self.name: "yes" if is_there else "no"}

    def text(self, is_there: bool) -> str:
        """Say whether."""
        return f"{'with' if is_there else 'without'} {self.label}"

    def condition(self, is_there: bool) -> Q:
        """Return the condition."""
        nothing = Q((self.name, self.nothing))
        return ~nothing if is_there else nothing


@dataclass(frozen=True, slots=True)
class Search:
    """A text that one of several columns holds."""

    name: str

    @property
    def parameters(self) -> tuple[QueryParameter, ...]:
        """What asks for it."""
        text = "Part of the id, error text, user or session; case-insensitive."
        schema = {"type": "string", "maxLength": SEARCH_CHARACTERS}
        return (QueryParameter(self.name, text, schema),)

    def read(self, params: Mapping[str, str]) -> str | None:
        """Read what to look for."""
        text = given(params, self.name)
        if len(text) > SEARCH_CHARACTERS:
            message = f"is longer than {SEARCH_CHARACTERS} characters"
            raise SelectionError(self.name, message)
        return text or None

    def write(self, text: str) -> dict[str, str]:
        """Return the parameters that `read` reads so."""
        return {self.name: text}

    def text(self, text: str) -> str:
        """Quote it."""
        return f"“{text}”"

    def names_one(self, text: str) -> bool:
        """Return whether it is the whole id of a single request."""
        return bool(_REQUEST_ID.fullmatch(text))

    def condition(self, text: str) -> Q:
        """Return the condition."""
        if self.names_one(text):
            return Q(request_id=text)
        found = Q()
        for column in _SEARCHED:
            found |= Q((f"{column}__icontains", text))
        return found


Filter = ChoiceFilter | RangeFilter | Presence | Search

# Those with an index by the column and time come in the order in which they are
# likely to leave the fewest rows.
CHOICES = {
    choice.name: choice
    for choice in (
        ChoiceFilter("session", "session_id", "session"),
        ChoiceFilter("user", "user", "user"),
        ChoiceFilter("reason", "reason", "error code"),
        ChoiceFilter("outcome", "outcome", "outcome", tuple(Outcome)),
        ChoiceFilter("key", "key_name", "key"),
        ChoiceFilter("model", "model", "model"),
        ChoiceFilter(
            "finish_reason",
            "finish_reason",
            "finish reason",
            tuple(FinishReason),
        ),
        ChoiceFilter("endpoint", "endpoint", "endpoint"),
        ChoiceFilter(
            "kind", "kind", "type", tuple(filter(None, RequestKind)), empty="other"
        ),
        ChoiceFilter("node", "node", "node", is_indexed=False),
        ChoiceFilter(
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
        RangeFilter("prompt_tokens", "tokens in", 1e9, is_whole=True),
        RangeFilter("completion_tokens", "tokens out", 1e9, is_whole=True),
        RangeFilter("ttft_s", "TTFT", 1e7, "s"),
        RangeFilter("total_s", "duration", 1e7, "s"),
        RangeFilter("queue_s", "wait", 1e7, "s"),
        RangeFilter("tps", "speed", 1e6, "tok/s"),
    )
}
PRESENCES = {
    one.name: one
    for one in (
        Presence("tool_calls", "tool calls", 0),
        Presence("warnings", "warnings", []),
    )
}
SEARCH = Search("q")
FILTERS: dict[str, Filter] = {
    **CHOICES,
    **RANGES,
    **PRESENCES,
    SEARCH.name: SEARCH,
}
# Those that the sums over time can be narrowed by.
SUMMED_CHOICES = tuple(CHOICES[name] for name in ("model", "endpoint", "key", "node"))


def read_choices(
    params: Mapping[str, str], choices: Iterable[ChoiceFilter]
) -> dict[str, tuple[str, ...]]:
    """Read the values of those choices that are given, by the choices' names."""
    read = {choice.name: choice.read(params) for choice in choices}
    return {name: values for name, values in read.items() if values}
