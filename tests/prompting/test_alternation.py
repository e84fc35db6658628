"""Messages that strict templates refuse are folded and merged, and it is said."""

from __future__ import annotations

from typing import Any

import pytest

from inference.prompting.alternation import Fold, normalised


def turns(*said: tuple[str, str]) -> list[dict[str, Any]]:
    return [{"role": role, "content": text} for role, text in said]


CALL = {"role": "assistant", "content": "", "tool_calls": [{}]}


def test_a_system_message_alone_becomes_the_users() -> None:
    changed, _ = normalised(
        turns(("system", "Be brief.")), fold=Fold.ALL, alternate=True
    )
    assert changed == turns(("user", "Be brief."))


def test_a_system_message_before_a_greeting_becomes_the_users_first() -> None:
    changed, done = normalised(
        turns(("system", "Be brief."), ("assistant", "Hi"), ("user", "Yes?")),
        fold=Fold.ALL,
        alternate=True,
    )
    assert changed == turns(
        ("user", "Be brief."), ("assistant", "Hi"), ("user", "Yes?")
    )
    assert done == ("the system message was folded into the first user message",)


def test_later_system_messages_are_folded_where_they_stand() -> None:
    changed, done = normalised(
        turns(
            ("system", "A"),
            ("system", "B"),
            ("user", "x"),
            ("system", "C"),
            ("system", "D"),
            ("user", "y"),
            ("assistant", "z"),
            ("system", "E"),
        ),
        fold=Fold.LATER,
        alternate=False,
    )
    assert changed == turns(
        ("system", "A\n\nB"),
        ("user", "x"),
        ("user", "C\n\nD\n\ny"),
        ("assistant", "z"),
        ("user", "E"),
    )
    assert len(done) == 2


def test_nothing_comes_between_a_call_and_its_results() -> None:
    result = {"role": "tool", "content": "4"}
    changed, _ = normalised(
        [*turns(("user", "x")), CALL, *turns(("system", "S")), result],
        fold=Fold.ALL,
        alternate=False,
    )
    assert changed == [*turns(("user", "x")), CALL, result, *turns(("user", "S"))]


def test_it_does_not_merge_what_carries_calls() -> None:
    said = [*turns(("user", "x")), CALL, CALL]
    assert normalised(said, fold=Fold.NONE, alternate=True) == (said, ())


def test_merged_messages_keep_their_thinking_and_a_name_they_share() -> None:
    changed, _ = normalised(
        [
            {"role": "user", "content": "a", "name": "Ann"},
            {"role": "user", "content": "b", "name": "Ann"},
            {
                "role": "assistant",
                "content": "c",
                "reasoning_content": "1",
                "name": "X",
            },
            {"role": "assistant", "content": "", "reasoning_content": "2"},
        ],
        fold=Fold.NONE,
        alternate=True,
    )
    assert changed == [
        {"role": "user", "content": "a\n\nb", "name": "Ann"},
        {"role": "assistant", "content": "c", "reasoning_content": "1\n\n2"},
    ]


@pytest.mark.parametrize("count", [1, 3])
def test_of_empty_messages_alone_one_is_left(count: int) -> None:
    changed, _ = normalised(turns(("user", " ")) * count, fold=Fold.ALL, alternate=True)
    assert changed == turns(("user", " "))


def test_no_message_is_changed_in_place() -> None:
    said = turns(("system", "S"), ("user", "x"), ("user", "y"))
    before = [dict(turn) for turn in said]
    normalised(said, fold=Fold.ALL, alternate=True)
    assert said == before
