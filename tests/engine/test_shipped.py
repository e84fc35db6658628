"""Answers of a model that ships a description of how it writes them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from mlx_lm.tokenizer_utils import load as load_tokenizer

from inference.core.requests import Tool
from inference.dialects.answers import AnswerParser
from inference.dialects.dialect import Calling
from inference.engine.text.shipped import shipped_dialect

if TYPE_CHECKING:
    from pathlib import Path

TEMPLATE = {
    "start_anchor": "BOT:",
    "fields": {
        "content": {},
        "thinking": {"open": "((", "close": "))"},
        "tool_calls": {
            "open": "@@",
            "close": "@/",
            "content": "json",
            "repeats": True,
            "transform": {"type": "function", "function": "{content}"},
        },
    },
}
WEATHER = Tool(
    "weather",
    parameters={
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
)


@pytest.fixture
def folder(tiny_model_dir: Path, tmp_path: Path) -> Path:
    """A tokenizer with such a template."""
    for file in tiny_model_dir.glob("tokenizer*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    path = tmp_path / "tokenizer_config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps({**config, "response_template": TEMPLATE}))
    return tmp_path


def told(folder: Path, text: str, step: int) -> tuple[str, str, list[Any], list[str]]:
    dialect = shipped_dialect(load_tokenizer(folder))
    assert dialect is not None
    parser = AnswerParser((dialect,), calling=Calling((WEATHER,)))
    pieces = [parser.feed(text[at : at + step]) for at in range(0, len(text), step)]
    pieces.append(parser.finish())
    calls = [call for piece in pieces for call in piece.calls]
    return (
        "".join(piece.text for piece in pieces),
        "".join(piece.reasoning for piece in pieces),
        [call.name or json.loads(call.arguments) for call in calls],
        parser.warnings,
    )


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_the_models_own_description_of_its_answers_is_followed(
    folder: Path, step: int
) -> None:
    call = '@@{"name": "weather", "arguments": {"city": "Oslo"}}@/'
    text, thought, calls, warnings = told(folder, f"((hm))Let me see.{call}", step)
    assert (text, thought) == ("Let me see.", "hm")
    assert calls == ["weather", {"city": "Oslo"}]
    assert not warnings


def test_what_it_finds_is_judged_by_the_tools_of_the_request(folder: Path) -> None:
    written = '{"name": "weather", "arguments": {}}'
    text, _, calls, warnings = told(folder, f"@@{written}@/", 5)
    assert (text, calls) == (written, [])
    assert warnings == ["a tool call was left as text: 'city' is missing"]


def test_a_description_that_cannot_be_used_is_none(folder: Path) -> None:
    tokenizer = load_tokenizer(folder)
    tokenizer._tokenizer.response_template = {
        "fields": {"content": {"content": "telepathy"}}
    }
    assert shipped_dialect(tokenizer) is None
