"""A client has the assistant's last message continued; it gets only what is added."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.family_server import ASK, FamilyServer, serving
from tests.families.cases import Case

if TYPE_CHECKING:
    from collections.abc import Iterator

ADDED = " rains <b>and</b> shines."
FAMILIES = (
    *("Qwen-Qwen3-0.6B", "trl/qwen3_6"),
    *("meta-llama-Llama-3.1-8B-Instruct", "google-gemma-2-2b-it"),
)
CASES = [Case(family, "more", ADDED, tools=()) for family in FAMILIES]
GOES_ON = {"continue_final_message": True, "add_generation_prompt": False}


@pytest.fixture(scope="module")
def families(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FamilyServer]:
    with serving(CASES, tmp_path_factory) as server:
        yield server


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_the_answer_is_what_was_added(
    families: FamilyServer, family: str, stream: bool
) -> None:
    said: list[dict[str, Any]] = [*ASK, {"role": "assistant", "content": "It"}]
    body = families.body_for(family, "more", said, **GOES_ON)
    answer = families.ask(body, stream=stream)
    assert (answer.content, answer.reasoning) == (ADDED, "")
    assert answer.finish_reason == "stop"


def test_thinking_is_continued_as_thinking(families: FamilyServer) -> None:
    said = [*ASK, {"role": "assistant", "content": "<think>\nIt"}]
    body = families.body_for("Qwen-Qwen3-0.6B", "more", said, **GOES_ON)
    answer = families.ask(body)
    assert (answer.content, answer.reasoning.strip()) == ("", ADDED.strip())
