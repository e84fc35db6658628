"""Turns as strict templates want them: no system role, roles that take turns.

Instruction models such as Mistral's and Gemma's refuse anything else, and clients
send it all the same.
"""

from __future__ import annotations

from typing import Any

Turn = dict[str, Any]


def normalised(
    turns: list[Turn], *, takes_system: bool, alternates: bool
) -> tuple[list[Turn], tuple[str, ...]]:
    """Return turns that a strict template takes, and what was done to them.

    A system turn is folded into the first user's, turns that follow one of their
    own role become one with it, empty ones are left out. Turns with calls, and a
    tool's, are left as they are.
    """
    done: dict[str, None] = {}
    if not takes_system:
        turns = _with_system_folded(turns, done)
    if alternates:
        turns = _taking_turns(turns, done)
    return turns, tuple(done)


def _with_system_folded(turns: list[Turn], done: dict[str, None]) -> list[Turn]:
    said = [turn["content"] for turn in turns if turn["role"] == "system"]
    if not said:
        return turns
    done["the system message was folded into the first user message"] = None
    system = "\n\n".join(text for text in said if text)
    others = [turn for turn in turns if turn["role"] != "system"]
    for at, turn in enumerate(others):
        if turn["role"] == "user":
            content = "\n\n".join(filter(None, (system, turn["content"])))
            return [*others[:at], {**turn, "content": content}, *others[at + 1 :]]
    return [{"role": "user", "content": system}, *others]


def _taking_turns(turns: list[Turn], done: dict[str, None]) -> list[Turn]:
    kept: list[Turn] = []
    for turn in turns:
        is_plain = turn.keys() <= {"role", "content"} and turn["role"] != "tool"
        if is_plain and not turn["content"].strip() and len(turns) > 1:
            done["an empty message was left out"] = None
            continue
        last = kept[-1] if kept else None
        if is_plain and last is not None and last["role"] == turn["role"]:
            done["messages of one role in a row were merged"] = None
            merged = f"{last['content']}\n\n{turn['content']}"
            kept[-1] = {**last, "content": merged}
        else:
            kept.append(turn)
    return kept or turns
