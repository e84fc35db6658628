"""What a probe found: fine, a note, a warning or an error; and what to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """How something is."""

    WELL = "well"
    NOTE = "note"
    WARNING = "warning"
    WRONG = "wrong"


GLYPHS = {State.WELL: "✓", State.NOTE: "○", State.WARNING: "!", State.WRONG: "✕"}
# Where a terminal knows no others.
PLAIN_GLYPHS = {State.WELL: "+", State.NOTE: "o", State.WARNING: "!", State.WRONG: "x"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `advice` says what to do where it is not well."""

    name: str
    state: State
    words: str
    advice: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


def well(name: str, words: str, **facts: Any) -> Finding:
    """Nothing is to be done."""
    return Finding(name, State.WELL, words, facts=facts)


def note(name: str, words: str, advice: str = "", **facts: Any) -> Finding:
    """Nothing is wrong, and something will happen."""
    return Finding(name, State.NOTE, words, advice, facts)


def warning(name: str, words: str, advice: str, **facts: Any) -> Finding:
    """It works, and could be better."""
    return Finding(name, State.WARNING, words, advice, facts)


def wrong(name: str, words: str, advice: str, **facts: Any) -> Finding:
    """The server cannot do its work like this."""
    return Finding(name, State.WRONG, words, advice, facts)
