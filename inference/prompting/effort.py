"""How much a model is to think: what its template is told, and what is done instead.

Clients send one of OpenAI's levels, always. A template reads a level under a name of
its own, or a switch, or nothing; it may refuse the levels that it does not know.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

NONE = "none"
LEVELS = (NONE, "minimal", "low", "medium", "high", "xhigh", "max")
# Most tokens of thinking, for models that think without levels; the others: no bound.
BUDGETS = {"minimal": 512, "low": 1024, "medium": 8192, "high": 24576}

# Switches by name, with what turns them on and off.
_SWITCHES: Mapping[str, tuple[Any, Any]] = {
    "enable_thinking": (True, False),
    "thinking": (True, False),
    "thinking_mode": ("enabled", "disabled"),
    "thinking_option": ("on", "off"),
    "enable_reasoning": (True, False),
    "reasoning": (True, False),
}
_NAMES = (
    "reasoning_effort",
    "thinking_effort",
    "reasoning_strength",
    "reasoning_level",
    "thinking_level",
    "effort",
)
# Flags that each stand for one level; without them a model thinks as it likes.
_FLAGS = {"low_effort": "low", "medium_effort": "medium"}
_BUDGET = "thinking_budget"
_NO_LEVEL = "shrike"
_WORDS_FOR_NONE = (NONE, "no_think", "off", "disabled")
# What templates that print any word were trained on.
_PRINTED = ("low", "medium", "high")

# What a template makes of a question with these arguments; None: it is refused.
Trial = Callable[[Mapping[str, Any]], str | None]


@dataclass(frozen=True, slots=True)
class EffortTraits:
    """What a template is told: `levels`, by name, and `switch` with its two values.

    A level is the arguments that stand for it; without one, the budget does.
    """

    levels: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    switch: str = ""
    on: Any = True
    off: Any = False


@dataclass(frozen=True, slots=True)
class EffortChoice:
    """What is done about a request's effort.

    `budget`: most tokens of thinking. `is_ignored`: nothing is done.
    """

    options: Mapping[str, Any] = field(default_factory=dict)
    budget: int | None = None
    is_ignored: bool = False


def effort_traits_of(names: frozenset[str], source: str, trial: Trial) -> EffortTraits:
    """Find out by trying which of the variables in `names` change a prompt."""
    switch, on, off = _switch_of(names, trial)
    base = {switch: on} if switch else {}

    def tried(**more: Any) -> str | None:
        return trial({**base, **more})

    levels: dict[str, Mapping[str, Any]] = {}
    for name in filter(names.__contains__, _NAMES):
        levels = _levels_of(name, source, tried)
        if levels:
            break
    if not levels:
        levels = _flags_of(names, tried) or _budgets_of(names, tried)
    if switch:
        levels.pop(NONE, None)
    return EffortTraits(levels, switch, on, off)


def chosen(effort: str | None, traits: EffortTraits, *, thinks: bool) -> EffortChoice:
    """Decide what is done about an effort; `thinks`: the model's tags are known."""
    if effort is None:
        return EffortChoice()
    switch = {traits.switch: traits.on} if traits.switch else {}
    graded = [level for level in LEVELS if level in traits.levels and level != NONE]
    if effort == NONE:
        if traits.switch:
            return EffortChoice({traits.switch: traits.off})
        if NONE in traits.levels:
            return EffortChoice(traits.levels[NONE])
        least = traits.levels[graded[0]] if graded else {}
        return EffortChoice(least, budget=0 if thinks else None)
    if graded:
        return EffortChoice({**switch, **traits.levels[_nearest(effort, graded)]})
    if switch or thinks or NONE in traits.levels:
        return EffortChoice(switch, budget=BUDGETS.get(effort))
    return EffortChoice(is_ignored=True)


def in_its_words(
    given: Mapping[str, Any], names: frozenset[str] | None, effort: EffortTraits
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return template arguments under the names that a template reads.

    A switch of thinking goes by the template's own name. The second value names
    what the template does not read; `names`: what it does, `None`: nobody knows.
    """
    if names is None:
        return dict(given), ()
    kept: dict[str, Any] = {}
    unread = []
    for name, value in given.items():
        if name in names:
            kept[name] = value
        elif name in _SWITCHES and effort.switch:
            is_on = value not in (False, 0, None, _SWITCHES[name][1], "off", "false")
            kept.setdefault(effort.switch, effort.on if is_on else effort.off)
        else:
            unread.append(name)
    return kept, tuple(unread)


def _nearest(effort: str, known: list[str]) -> str:
    """Return the known level that is nearest; of two, the higher."""
    at = LEVELS.index(effort)
    return min(
        known, key=lambda level: (abs(LEVELS.index(level) - at), -LEVELS.index(level))
    )


def _switch_of(names: frozenset[str], trial: Trial) -> tuple[str, Any, Any]:
    for name, (on, off) in _SWITCHES.items():
        if name in names:
            texts = trial({name: on}), trial({name: off})
            if None not in texts and texts[0] != texts[1]:
                return name, on, off
    return "", True, False


def _levels_of(
    name: str, source: str, tried: Callable[..., str | None]
) -> dict[str, Mapping[str, Any]]:
    texts = {level: tried(**{name: level}) for level in (*LEVELS, *_WORDS_FOR_NONE)}
    other = tried(**{name: _NO_LEVEL})
    if other is not None and _NO_LEVEL in other:
        known = [
            level
            for level in LEVELS
            if level in _PRINTED or re.search(f"['\"]{level}['\"]", source)
        ]
        return {level: {name: level} for level in known}
    # What is taken like any other word says nothing.
    told = [level for level, text in texts.items() if text not in (None, other)]
    found = {level: {name: level} for level in LEVELS if level in told}
    none = next((word for word in _WORDS_FOR_NONE if word in told), None)
    if none is not None:
        found[NONE] = {name: none}
    if other is not None and found.keys() - {NONE}:
        usual = "medium" if "medium" not in found else "high"
        found.setdefault(usual, {})
    return dict(found)


def _flags_of(
    names: frozenset[str], tried: Callable[..., str | None]
) -> dict[str, Mapping[str, Any]]:
    usual = tried()
    found: dict[str, Mapping[str, Any]] = {
        level: {flag: True}
        for flag, level in _FLAGS.items()
        if flag in names and tried(**{flag: True}) not in (None, usual)
    }
    return {**found, "high": {}} if found else {}


def _budgets_of(
    names: frozenset[str], tried: Callable[..., str | None]
) -> dict[str, Mapping[str, Any]]:
    if _BUDGET not in names or tried(**{_BUDGET: 512}) in (None, tried()):
        return {}
    found = {level: {_BUDGET: most} for level, most in BUDGETS.items()}
    return {NONE: {_BUDGET: 0}, **found, "max": {}}
