"""Turns as strict templates want them: no system role, roles that take turns.

Instruction models such as Mistral's and Gemma's refuse anything else, and clients
send it all the same.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

from inference.prompting.turns import THINKING_KEYS

Turn = dict[str, Any]

_PLAIN_KEYS = frozenset({"role", "content", "name", *THINKING_KEYS})
_FIRST_FOLDED = "the system message was folded into the first user message"
_LATER_FOLDED = "a later system message was folded into a user message"
_MERGED = "messages of one role in a row were merged"
_LEFT_OUT = "an empty message was left out"
_OPENED = "an empty user message was put before the assistant's first"


class Fold(Enum):
    """Which system turns become the user's: none, all but the first, or all."""

    NONE = "none"
    LATER = "later"
    ALL = "all"


def normalised(
    turns: list[Turn], *, fold: Fold, alternate: bool
) -> tuple[list[Turn], tuple[str, ...]]:
    """Return turns that a strict template takes, and what was done to them.

    A folded system turn becomes one with the user's turn that follows it, or a turn
    of the user's where none does. To alternate, turns that follow one of their own
    role become one with it, empty ones are left out, and the user has the first
    word. Turns with calls, and a tool's, are left as they are.
    """
    done: dict[str, None] = {}
    if fold is not Fold.NONE:
        turns = _Folding(fold, done).folded(turns)
    if alternate:
        turns = _opened_by_user(_taking_turns(turns, done), done)
    return turns, tuple(done)


class _Folding:
    """Goes through the turns of one conversation, once."""

    def __init__(self, fold: Fold, done: dict[str, None]) -> None:
        self._keeps_first = fold is Fold.LATER
        self._done = done
        self._kept: list[Turn] = []
        self._waiting: list[str] = []

    def folded(self, turns: list[Turn]) -> list[Turn]:
        for turn in turns:
            if turn["role"] == "system":
                self._take_system(turn)
            elif turn["role"] == "user":
                self._kept.append({**turn, "content": self._joined(turn["content"])})
            elif turn["role"] == "tool":
                # Nothing may come between a call and its results.
                self._kept.append(turn)
            else:
                self._flush()
                self._kept.append(turn)
        self._flush()
        return self._kept

    def _take_system(self, turn: Turn) -> None:
        if self._keeps_first and not self._kept:
            self._kept.append(turn)
        elif self._keeps_first and self._kept[-1]["role"] == "system":
            self._done[_MERGED] = None
            self._kept[-1] = _merged(self._kept[-1], turn)
        else:
            has_user = any(kept["role"] == "user" for kept in self._kept)
            self._done[_LATER_FOLDED if has_user else _FIRST_FOLDED] = None
            self._waiting.append(turn["content"])

    def _joined(self, text: str) -> str:
        texts = [*self._waiting, text]
        self._waiting = []
        return "\n\n".join(filter(None, texts))

    def _flush(self) -> None:
        if any(self._waiting):
            self._kept.append({"role": "user", "content": self._joined("")})
        self._waiting = []


def _taking_turns(turns: list[Turn], done: dict[str, None]) -> list[Turn]:
    kept: list[Turn] = []
    for turn in turns:
        last = kept[-1] if kept else None
        if _is_empty(turn) and len(turns) > 1:
            done[_LEFT_OUT] = None
        elif last is not None and _is_plain(turn) and last["role"] == turn["role"]:
            done[_MERGED] = None
            kept[-1] = _merged(last, turn)
        else:
            kept.append(turn)
    return kept or turns[-1:]


def _opened_by_user(turns: list[Turn], done: dict[str, None]) -> list[Turn]:
    at = next((at for at, turn in enumerate(turns) if turn["role"] != "system"), 0)
    if turns[at]["role"] != "assistant":
        return turns
    done[_OPENED] = None
    return [*turns[:at], {"role": "user", "content": ""}, *turns[at:]]


def _is_plain(turn: Turn) -> bool:
    return turn["role"] != "tool" and turn.keys() <= _PLAIN_KEYS


def _is_empty(turn: Turn) -> bool:
    said = (turn.get(key) or "" for key in ("content", *THINKING_KEYS))
    return _is_plain(turn) and not any(text.strip() for text in said)


def _merged(first: Turn, then: Turn) -> Turn:
    """Return two plain turns as one; whose name it has is known only if both agree."""
    merged = {"role": first["role"]}
    for key in ("content", *THINKING_KEYS):
        texts = [turn[key] for turn in (first, then) if turn.get(key)]
        if texts or key == "content":
            merged[key] = "\n\n".join(texts)
    if "name" in first and first.get("name") == then.get("name"):
        merged["name"] = first["name"]
    return merged
