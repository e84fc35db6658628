"""The text of a custom tool's call, read from its arguments as they come."""

from __future__ import annotations

import json

import pytest

from inference.faces.responses.text_argument import TextArgument

TEXTS = ("", "plain", 'a "b"\n\\c/\t\x07', "ü 😀 \U0001f469\u200d\U0001f52c", "{}", '"')


def read(arguments: str, size: int) -> tuple[list[str], str]:
    argument = TextArgument()
    pieces = [arguments[at : at + size] for at in range(0, len(arguments), size)]
    told = [argument.feed(piece) for piece in pieces]
    told.append(argument.flush())
    return told, argument.text


@pytest.mark.parametrize("size", [1, 2, 5, 1000])
@pytest.mark.parametrize("is_ascii", [True, False])
@pytest.mark.parametrize("text", TEXTS)
def test_it_is_the_text_however_it_is_cut(text: str, is_ascii: bool, size: int) -> None:
    told, whole = read(json.dumps({"input": text}, ensure_ascii=is_ascii), size)
    assert "".join(told) == whole == text


def test_it_is_told_before_the_call_ends() -> None:
    argument = TextArgument()
    assert argument.feed('{ "input": "ab') == "ab"
    assert argument.feed("\\") == ""
    assert argument.feed("nc") == "\nc"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("*** Begin Patch", "*** Begin Patch"),
        ('{"patch": "x"}', '{"patch": "x"}'),
        ('{"other": 1, "input": "late"}', "late"),
        ('{"input": "cut', "cut"),
        ('{"input": 5}', '{"input": 5}'),
        ("", ""),
    ],
)
def test_what_is_something_else_is_the_text_itself(arguments: str, text: str) -> None:
    assert read(arguments, 3)[1] == text
