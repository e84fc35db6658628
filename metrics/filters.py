"""The filter of the request list: what it offers, and what of it is chosen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils import timezone

from metrics.models import RequestLog
from metrics.selection import CHOICES, PRESENCES, RANGES
from metrics.selection.parsing import write_values

if TYPE_CHECKING:
    from datetime import datetime

    from metrics.selection import Selection

# How many of the newest rows say which models, keys and the like there are.
_ASKED_ROWS = 2000
_SEEN = ("model", "endpoint", "key", "reason", "node")
_CHOSEN = (
    *("reason", "model", "endpoint", "key", "kind", "finish_reason", "structured"),
    "node",
)
_TYPED = ("user", "session")
_HOURS = {"1": "last hour", "24": "last 24 hours", "168": "last 7 days"} | {
    "720": "last 30 days"
}


@dataclass(frozen=True, slots=True)
class Option:
    """One value that can be chosen."""

    value: str
    label: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Field:
    """One parameter with its options, or with the text that it holds."""

    name: str
    label: str
    options: tuple[Option, ...] = ()
    text: str = ""

    @property
    def is_chosen(self) -> bool:
        """Whether it holds anything."""
        return bool(self.text) or any(one.is_chosen for one in self.options)


@dataclass(frozen=True, slots=True)
class Between:
    """A number from one parameter to another."""

    label: str
    unit: str
    least: Field
    most: Field


class FilterForm:
    """What the side column shows for one selection; one query."""

    def __init__(self, selection: Selection) -> None:
        self._selection = selection
        seen = _seen_values()
        self.hours = _hours_field(selection)
        self.since = Field("from", "From", text=_local_text(selection.window.since))
        self.until = Field(
            "to", "To, exclusive", text=_local_text(selection.window.until)
        )
        self.outcome = self._several("outcome")
        self.choices = [
            self._choice(name, offered)
            for name in _CHOSEN
            if self._is_of_use(name, offered := CHOICES[name].allowed or seen[name])
        ]
        self.texts = [
            Field(name, CHOICES[name].label, text=self._text(name)) for name in _TYPED
        ]
        self.betweens = [self._between(name) for name in RANGES]
        self.presences = [self._presence(name) for name in PRESENCES]

    def _is_of_use(self, name: str, offered: tuple[str, ...]) -> bool:
        """Return whether there is a choice: most have but one node."""
        return name != "node" or len(offered) > 1 or name in self._selection.conditions

    def _choice(self, name: str, offered: tuple[str, ...]) -> Field:
        """Return a parameter of which one value can be chosen."""
        choice, chosen = CHOICES[name], self._selection.conditions.get(name, ())
        sets: list[tuple[str, ...]] = [
            (value,) for value in (*filter(None, offered), "")
        ]
        if chosen and chosen not in sets:
            sets.append(chosen)
        options = [
            Option(
                write_values(values),
                " or ".join(choice.value_text(value) for value in values),
                values == chosen,
            )
            for values in sets
        ]
        return Field(name, choice.label, tuple(options))

    def _several(self, name: str) -> Field:
        """Return a parameter of which several values can be ticked."""
        choice, chosen = CHOICES[name], self._selection.conditions.get(name, ())
        options = (
            Option(value, choice.value_text(value), value in chosen)
            for value in choice.allowed
        )
        return Field(name, choice.label, tuple(options))

    def _text(self, name: str) -> str:
        return self._selection.to_params().get(name, "")

    def _between(self, name: str) -> Between:
        one = RANGES[name]
        params = self._selection.to_params()
        return Between(
            one.label,
            one.unit,
            Field(
                one.least_name,
                f"{one.label}, from",
                text=params.get(one.least_name, ""),
            ),
            Field(
                one.most_name, f"{one.label}, to", text=params.get(one.most_name, "")
            ),
        )

    def _presence(self, name: str) -> Field:
        chosen = self._selection.conditions.get(name)
        options = (
            Option("yes", "with", chosen is True),
            Option("no", "without", chosen is False),
        )
        return Field(name, PRESENCES[name].label, options)


def _hours_field(selection: Selection) -> Field:
    hours = selection.window.to_params().get("hours", "")
    offered = dict(_HOURS)
    if hours not in offered and hours:
        offered[hours] = f"last {hours} hours"
    options = [Option(one, label, one == hours) for one, label in offered.items()]
    return Field("hours", "time", tuple(options))


def _seen_values() -> dict[str, tuple[str, ...]]:
    """Return which values the newest rows hold, per parameter."""
    columns = [CHOICES[name].column for name in _SEEN]
    newest = RequestLog.objects.newest_first().values("pk")[:_ASKED_ROWS]
    rows = RequestLog.objects.filter(pk__in=newest).order_by()
    found = list(rows.values_list(*columns).distinct())
    return {
        name: tuple(sorted({str(row[at]) for row in found}))
        for at, name in enumerate(_SEEN)
    }


def _local_text(at: datetime | None) -> str:
    """Write a time as the browser's field for it wants it."""
    if at is None:
        return ""
    local = timezone.localtime(at).replace(tzinfo=None)
    return local.isoformat(timespec="milliseconds" if local.microsecond else "seconds")
