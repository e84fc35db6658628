"""A selection in words: `failed or timed out`, `model qwen3`, `14:00 to 15:00`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils import timezone

if TYPE_CHECKING:
    from datetime import datetime

    from metrics.selection.fields import Choice, Range

_SPANS = {1.0: "last hour", 24.0: "last 24 hours"}


def hours_words(hours: float) -> str:
    """Say how far back it goes."""
    if hours in _SPANS:
        return _SPANS[hours]
    if hours >= 48 and hours % 24 == 0:
        return f"last {hours / 24:g} days"
    if hours < 1:
        return f"last {hours * 60:.3g} minutes"
    return f"last {hours:g} hours"


def time_words(since: datetime | None, until: datetime | None) -> str:
    """Say from when to when, with the date unless it is today."""
    if since is None or until is None:
        since_words = f"since {_moment_words(since)}" if since else ""
        return since_words or (f"before {_moment_words(until)}" if until else "")
    first, last = timezone.localtime(since), timezone.localtime(until)
    is_one_day = first.date() == last.date()
    end = _clock(last) if is_one_day else _moment_words(until)
    return f"{_moment_words(since)} to {end}"


def choice_words(choice: Choice, values: tuple[str, ...]) -> str:
    """Say which values; outcomes speak for themselves."""
    named = " or ".join(value_words(choice, value) for value in values)
    return named if choice.name == "outcome" else f"{choice.label} {named}"


def value_words(choice: Choice, value: str) -> str:
    """Write one value as people do; only our own words lose their underscores."""
    if not value:
        return choice.empty
    return value.replace("_", " ") if choice.allowed else value


def range_words(one: Range, least: float | None, most: float | None) -> str:
    """Say from what to what."""
    unit = f" {one.unit}" if one.unit else ""
    if least is None:
        return f"{one.label} at most {_figure(most)}{unit}"
    if most is None:
        return f"{one.label} at least {_figure(least)}{unit}"
    return f"{one.label} {_figure(least)} to {_figure(most)}{unit}"


def _moment_words(at: datetime | None) -> str:
    if at is None:
        return ""
    local = timezone.localtime(at)
    today = timezone.localdate()
    if local.date() == today:
        return _clock(local)
    year = f" {local.year}" if local.year != today.year else ""
    return f"{local.day} {local:%b}{year} {_clock(local)}"


def _clock(local: datetime) -> str:
    if local.microsecond:
        return f"{local:%H:%M:%S}.{local.microsecond // 1000:03}"
    return f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"


def _figure(number: float | None) -> str:
    return "" if number is None else f"{number:,.12g}"
