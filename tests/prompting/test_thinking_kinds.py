"""Models that think: what opens it, what turns it off, what comes back of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inference.core.requests import ChatMessage, TextPart
from tests.prompting.conversations import (
    CLEAN,
    TOOLS,
    called,
    in_order,
    prompt_of,
    result,
    said,
)

if TYPE_CHECKING:
    from tests.prompting.conftest import Dress

QWEN = ("qwen3_like", "trl/qwen3")
DEEPSEEK = ("deepseek_r1_like", "trl/deepseek_r1_distill")
BAR = "\N{FULLWIDTH VERTICAL LINE}"


@pytest.mark.parametrize("name", DEEPSEEK)
def test_deepseek_answers_from_inside_its_thinking(dress: Dress, name: str) -> None:
    tokenizer = dress(name, thinks=True)
    past = said("assistant", "<think>Hm, a greeting.</think>Hi")
    text, prompt = prompt_of(
        tokenizer, (CLEAN[0], past, CLEAN[2]), think_start=tokenizer.think_start
    )
    assert prompt.opens_thinking
    assert "a greeting" not in text
    assert text.endswith(f"<{BAR}Assistant{BAR}><think>\n")


@pytest.mark.parametrize("name", QWEN)
def test_qwen_thinks_unless_its_switch_is_off(dress: Dress, name: str) -> None:
    tokenizer = dress(name, thinks=True)
    tags = {"think_start": tokenizer.think_start}
    text, prompt = prompt_of(tokenizer, CLEAN, **tags)
    assert text.endswith("<|im_start|>assistant\n")
    assert not prompt.opens_thinking
    for asked in (
        {"reasoning_effort": "none"},
        {"template_kwargs": {"enable_thinking": False}},
    ):
        text, prompt = prompt_of(tokenizer, CLEAN, **asked, **tags)
        assert text.endswith("<think>\n\n</think>\n\n")
        assert not prompt.opens_thinking


@pytest.mark.parametrize("name", ["trl/qwen3_6", "trl/qwen3_8"])
def test_a_later_qwen_opens_its_thinking_itself(dress: Dress, name: str) -> None:
    tokenizer = dress(name, thinks=True)
    _, prompt = prompt_of(tokenizer, CLEAN, think_start=tokenizer.think_start)
    assert prompt.opens_thinking


@pytest.mark.parametrize("name", QWEN)
def test_qwen_sees_the_thinking_behind_a_call_until_the_next_question(
    dress: Dress, name: str
) -> None:
    tokenizer = dress(name, thinks=True)
    call = called("plover").tool_calls
    thought = ChatMessage(
        "assistant",
        (TextPart("A moment."),),
        tool_calls=call,
        reasoning="Better look.",
    )
    messages = (said("user", "What is it?"), thought, result("curlew"))
    text, _ = prompt_of(tokenizer, messages, tools=TOOLS)
    assert in_order(text, "<think>\nBetter look.\n</think>\n\nA moment.", "plover")
    text, _ = prompt_of(
        tokenizer,
        (*messages, said("assistant", "A curlew."), said("user", "Sure?")),
        tools=TOOLS,
    )
    assert "Better look." not in text
    assert in_order(text, "A moment.", "plover", "curlew", "A curlew.", "Sure?")
