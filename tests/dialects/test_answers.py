"""An answer told apart into thinking, content and calls, however it is cut."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from inference.core.requests import Tool
from inference.dialects.answers import AnswerParser
from inference.dialects.dialect import Calling, Opener
from inference.dialects.families import hermes
from inference.dialects.json_calls import JSONCalls
from inference.dialects.thinking import USUAL, thinking_as
from inference.parsing.pieces import Pieces

TOOLS = (Tool("weather"), Tool("time"))
THINKS = {"dialects": (thinking_as(USUAL),)}
CALLING = Calling(TOOLS)
CALLS = {"dialects": (hermes.DIALECT,), "calling": CALLING}
BOTH = {**CALLS, "dialects": (hermes.DIALECT, thinking_as(USUAL))}
# The same where a grammar holds the model, so that arguments are handed on.
HELD = {**CALLS, "is_held": True}
BARE = Calling(TOOLS, whole=Opener("", JSONCalls(separators=("\n",)), keeps=True))
WHOLE = {"calling": BARE, "is_held": True}
WEATHER = '{"name": "weather", "arguments": {"city": "a } \\" <tool_call>"}}'
TIME = '{"name": "time", "arguments": {}}'


def told(
    text: str, *, seed: int | None = None, is_held: bool = False, **options: Any
) -> tuple[Pieces, AnswerParser]:
    """Feed `text`, cut at random places, and return all that came out as one."""
    cuts = random.Random(seed)
    numbers = iter(range(9))
    parser = AnswerParser(new_id=lambda: f"id{next(numbers)}", **options)
    found, at = [], 0
    while at < len(text):
        size = len(text) if seed is None else cuts.randint(1, 5)
        found.append(parser.feed(text[at : at + size], is_held=is_held))
        at += size
    found.append(parser.finish())
    calls = tuple(call for pieces in found for call in pieces.calls)
    whole = Pieces(
        "".join(p.text for p in found), "".join(p.reasoning for p in found), calls
    )
    return whole, parser


def calls_in(pieces: Pieces) -> list[tuple[str, str, str]]:
    """Join the pieces of each call: id, name, arguments."""
    calls: list[tuple[str, str, str]] = []
    for piece in pieces.calls:
        if piece.id:
            assert piece.index == len(calls)
            calls.append((piece.id, piece.name, piece.arguments))
        else:
            ident, name, arguments = calls[piece.index]
            calls[piece.index] = (ident, name, arguments + piece.arguments)
    return calls


CASES: list[tuple[str, dict[str, Any], str, str, list[str]]] = [
    ("plain text", {}, "plain text", "", []),
    (
        "<think>\nhm, hm\n</think>\n\nYes.",
        THINKS,
        "Yes.",
        "hm, hm",
        [],
    ),
    (" \n<think>a</think>b", THINKS, "b", "a", []),
    ("no <think>x</think>", THINKS, "no <think>x</think>", "", []),
    (
        "hm </thin </think> Yes",
        {**THINKS, "opened": "<think>"},
        "Yes",
        "hm </thin",
        [],
    ),
    ("never ends", {**THINKS, "opened": "<think>"}, "", "never ends", []),
    (
        f"Let me see.\n<tool_call>\n{WEATHER}\n</tool_call>\n",
        HELD,
        "Let me see.",
        "",
        ["weather"],
    ),
    (
        f"<tool_call>\n{TIME}\n</tool_call>\n<tool_call>{WEATHER}</tool_call> done",
        HELD,
        "done",
        "",
        ["time", "weather"],
    ),
    (
        f"<tool_call>{TIME}</tool_call><tool_call>{TIME}</tool_call>",
        CALLS,
        "",
        "",
        ["time", "time"],
    ),
    (
        f"<think>a <tool_call> b</think><tool_call>{TIME}</tool_call>",
        BOTH,
        "",
        "a <tool_call> b",
        ["time"],
    ),
    (f"{WEATHER}\n{TIME}", WHOLE, "", "", ["weather", "time"]),
    (
        f"<think>x</think>{TIME}",
        {**WHOLE, **THINKS},
        "",
        "x",
        ["time"],
    ),
    (
        f"Hi \n<tool_call>{TIME}</tool_call> bye\n",
        CALLS,
        "Hi bye",
        "",
        ["time"],
    ),
    ("a < b and <tool> c", CALLS, "a < b and <tool> c", "", []),
    ("one two STOP three", {**CALLS, "stops": ("STOP",)}, "one two ", "", []),
    (
        "<think>STOP</think>one STOP",
        {**THINKS, "stops": ("STOP",)},
        "one ",
        "STOP",
        [],
    ),
]


@pytest.mark.parametrize(("text", "options", "content", "reasoning", "names"), CASES)
def test_it_tells_the_parts_apart_however_the_text_is_cut(
    text: str, options: dict[str, Any], content: str, reasoning: str, names: list[str]
) -> None:
    for seed in (None, *range(40)):
        pieces, parser = told(text, seed=seed, **options)
        assert (pieces.text, pieces.reasoning) == (content, reasoning)
        assert [name for _, name, _ in calls_in(pieces)] == names
        assert parser.calls_made == len(names)
        assert not parser.warnings


def test_the_arguments_of_a_streamed_call_are_the_models_own_text() -> None:
    for seed in range(40):
        pieces, _ = told(f"<tool_call>{WEATHER}</tool_call>", seed=seed, **HELD)
        ((ident, _, arguments),) = calls_in(pieces)
        assert ident == "id0"
        assert arguments == '{"city": "a } \\" <tool_call>"}'


def test_it_hands_arguments_on_before_the_call_has_ended() -> None:
    parser = AnswerParser(**CALLS)
    text = '<tool_call>\n{"name": "time", "arguments": {"a": "long te'
    first = parser.feed(text, is_held=True)
    assert [(c.name, c.arguments) for c in first.calls] == [
        ("time", ""),
        ("", '{"a": "long te'),
    ]
    assert parser.in_call


@pytest.mark.parametrize(
    ("body", "warnings"),
    [
        ("not json", 0),
        ('{"arguments": {}}', 0),
        ("3", 0),
        ('{"name": "other", "arguments": {}}', 1),
        ('{"name": "time", "arguments": 3}', 1),
        ('{"name": "time", "arguments": {"a": tomorrow}}', 1),
    ],
)
def test_a_call_that_cannot_be_read_is_text_with_a_warning_once_it_has_a_name(
    body: str, warnings: int
) -> None:
    text = f"first\n<tool_call>{body}</tool_call> and on"
    for seed in (None, *range(20)):
        pieces, parser = told(text, seed=seed, **CALLS)
        assert pieces.text == text
        assert (pieces.calls, parser.calls_made) == ((), 0)
        assert len(parser.warnings) == warnings


def test_a_call_cut_short_is_text_unless_it_was_streamed() -> None:
    whole, parser = told("<tool_call>" + WEATHER[:40], **CALLS)
    assert whole.text == "<tool_call>" + WEATHER[:40]
    assert parser.warnings
    streamed, parser = told("<tool_call>" + WEATHER[:40], seed=1, **HELD)
    assert calls_in(streamed)[0][1] == "weather"
    assert (streamed.text, parser.warnings) == ("", [])


def test_several_calls_may_stand_in_one_body() -> None:
    both = f"[{TIME}, {WEATHER}]"
    pieces, _ = told(f"<tool_call>{both}</tool_call>", **CALLS)
    assert [name for _, name, _ in calls_in(pieces)] == ["time", "weather"]


def test_its_first_call_completes_an_answer_that_may_hold_one() -> None:
    for options, text in ((HELD, f"<tool_call>{TIME}</tool_call>" * 2), (WHOLE, TIME)):
        calling = replace(BARE if options is WHOLE else CALLING, parallel=False)
        pieces, parser = told(text, seed=3, **{**options, "calling": calling})
        assert len(calls_in(pieces)) == 1
        assert parser.is_complete
        assert not pieces.text


def test_text_goes_on_after_a_call_with_members_of_its_own() -> None:
    body = '{"name": "time", "arguments": {}, "x": 2}'
    for options in (CALLS, HELD):
        pieces, _ = told(f"<tool_call>{body}</tool_call> on", seed=2, **options)
        assert [name for _, name, _ in calls_in(pieces)] == ["time"]
        assert pieces.text == "on"
