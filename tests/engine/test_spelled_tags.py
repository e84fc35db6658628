"""Thinking tags of ordinary text: found however their characters are cut."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from inference.core.frames import PreparePrompt
from inference.core.models import ModelOptions
from inference.core.requests import (
    ChatMessage,
    ChatPrompt,
    Grammar,
    GrammarKind,
    TextPart,
)
from inference.engine.answers.plans import PreparedPrompt, prepare_answer
from inference.engine.guidance.followers import Stage
from inference.engine.loading.text_model import TextModel, load_text_model
from inference.engine.text.formats import formats_of
from inference.prompting.templates import render

if TYPE_CHECKING:
    from pathlib import Path

    from inference.engine.guidance.guides import Guide

TAGS = ModelOptions(think_start="<reason>", think_end="</reason>")


@pytest.fixture(scope="module")
def text(tiny_model_dir: Path) -> TextModel:
    return load_text_model(tiny_model_dir)


def planned(
    text: TextModel, *, ending: str = "", regex: str = ""
) -> tuple[PreparedPrompt, Any]:
    """Prepare a prompt that ends so, for an answer that has to match."""
    formats = formats_of(text.tokenizer, vocabulary=text.vocabulary, options=TAGS)
    grammar = Grammar(GrammarKind.REGEX, regex, "guided_regex") if regex else None
    prompt = ChatPrompt((ChatMessage("user", (TextPart("Hello"),)),))
    command = PreparePrompt(1, prompt, grammar)
    rendered = render(
        Ending(text.tokenizer, ending), prompt, formats.traits, think_start="<reason>"
    )
    return prepare_answer(command, rendered, formats, text.words), formats


class Ending:
    """A tokenizer whose template ends in something of its own."""

    has_chat_template = True

    def __init__(self, tokenizer: Any, ending: str) -> None:
        self._tokenizer = tokenizer
        self._ending = ending

    def apply_chat_template(self, *given: Any, **options: Any) -> str:
        return (
            str(self._tokenizer.apply_chat_template(*given, **options)) + self._ending
        )

    def encode(self, text: str, **options: Any) -> list[int]:
        return list(self._tokenizer.encode(text, **options))


def say(guide: Guide, text: TextModel, *pieces: str) -> None:
    """Let a model say pieces of text, each cut into tokens by itself."""
    for piece in pieces:
        for token in text.tokenizer.encode(piece, add_special_tokens=False):
            guide.accept(token)


def stage_of(guide: Guide) -> Stage:
    return guide.stage


def opened(prompt: PreparedPrompt, budget: int | None) -> Guide:
    guide = prompt.plan.open(budget)
    assert guide is not None
    return guide


@pytest.mark.parametrize(
    "cut", [["</reason>"], ["<", "/", "r", "ea", "son", ">"], ["x</", "reason>\n\n"]]
)
def test_the_end_is_found_however_it_is_cut(text: TextModel, cut: list[str]) -> None:
    prompt, _ = planned(text, ending="<reason>\n")
    guide = opened(prompt, 50)
    say(guide, text, "Well, </rea! ", *cut)
    assert stage_of(guide) is Stage.FREE


def test_a_budget_holds_for_thinking_that_the_model_opens_itself(
    text: TextModel,
) -> None:
    prompt, formats = planned(text)
    guide = opened(prompt, 3)
    say(guide, text, "\n<", "rea", "son>")
    assert stage_of(guide) is Stage.THINKING
    say(guide, text, "a", "b", "c")
    assert stage_of(guide) is Stage.FORCED
    for token in formats.thinking.end.tokens:
        guide.accept(token)
    assert stage_of(guide) is Stage.FREE


def test_what_only_looks_like_a_tag_is_the_answer(text: TextModel) -> None:
    prompt, _ = planned(text)
    guide = opened(prompt, 3)
    say(guide, text, "<", "rea", "lly>")
    assert stage_of(guide) is Stage.FREE


def test_an_answer_that_begins_like_the_tag_is_the_answer(text: TextModel) -> None:
    prompt, formats = planned(text, regex="<[a-z]{3}>")
    guide = opened(prompt, 3)
    first = formats.thinking.start.tokens[0]
    assert text.words.bytes_of(first) == b"<"
    guide.accept(first)
    # As long as it may be either, it is neither.
    assert stage_of(guide) is Stage.OPENING
    say(guide, text, "abc>")
    assert (stage_of(guide), guide.error) == (Stage.OVER, "")


def test_thinking_that_the_template_closed_is_over(text: TextModel) -> None:
    prompt, _ = planned(text, ending="<reason>\n\n</reason>\n\n", regex="[0-9]{2}")
    assert prompt.plan.think_start is None
    prompt, _ = planned(text, regex="[0-9]{2}")
    assert prompt.plan.think_start is not None
