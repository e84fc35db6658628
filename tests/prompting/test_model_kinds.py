"""Whatever clients send, it reaches the model, with the templates of real models.

Of each kind there is one written after its documented behaviour ("like"), and the
real ones where they could be fetched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from inference.prompting.traits import traits_of
from inference.prompting.turns import CallDialect
from tests.prompting.conversations import (
    CLEAN,
    MESSY,
    TOOLS,
    called,
    in_order,
    prompt_of,
    result,
    said,
)

if TYPE_CHECKING:
    from inference.core.requests import ChatMessage
    from tests.prompting.conftest import Dress

MISTRAL = ("mistral_like", "axolotl/mistral_v2v3", "axolotl/mistral_v3_tekken")
GEMMA = ("gemma_like", "trl/gemma")
QWEN = ("qwen3_like", "trl/qwen3")
DEEPSEEK = ("deepseek_r1_like", "trl/deepseek_r1_distill")
PARTS = ("parts_like", "trl/smolvlm", "trl/idefics3")
TEMPLATES = (
    *MISTRAL,
    *("axolotl/mistral_v1", "axolotl/mistral_v7_tekken"),
    *GEMMA,
    *("trl/gemma3", "trl/gemma4"),
    *("llama3_like", "trl/llama3", "trl/llama3_1", "trl/llama3_2"),
    *QWEN,
    *("trl/qwen3_instruct_2507", "trl/qwen3_6", "trl/qwen3_8"),
    *DEEPSEEK,
    "trl/deepseekv3",
    *("phi_like", "trl/phi3", "trl/phi3_5", "axolotl/phi_4"),
    *PARTS,
    *("trl/gptoss", "trl/glm4moe"),
)
SYSTEM = said("system", "Be brief.")
EMPTY_FIRST = "an empty user message was put before the assistant's first"
FOLDED = "the system message was folded into the first user message"
LATER_FOLDED = "a later system message was folded into a user message"
MERGED = "messages of one role in a row were merged"
LEFT_OUT = "an empty message was left out"
WRITTEN = "tools and their messages were written out in words"


@pytest.fixture(params=TEMPLATES)
def tokenizer(request: Any, dress: Dress) -> Any:
    return dress(request.param)


def test_a_messy_conversation_reaches_the_model_whole(tokenizer: Any) -> None:
    text, prompt = prompt_of(tokenizer, MESSY)
    assert in_order(text, "Hello", "once more", "Hi", "and welcome", "Bye")
    assert "Be brief." in text
    assert "Now in French." in text
    assert "None" not in text
    assert len(set(prompt.warnings)) == len(prompt.warnings)


def test_a_clean_conversation_is_left_alone(tokenizer: Any) -> None:
    text, prompt = prompt_of(tokenizer, CLEAN)
    turns: list[dict[str, Any]] = [
        {"role": message.role, "content": message.text} for message in CLEAN
    ]
    if traits_of(tokenizer).reads_parts:
        for turn in turns:
            turn["content"] = [{"type": "text", "text": turn["content"]}]
    assert text == tokenizer.apply_chat_template(
        turns, tokenize=False, add_generation_prompt=True
    )
    assert prompt.warnings == ()


@pytest.mark.parametrize(
    "messages",
    [
        (SYSTEM,),
        (SYSTEM, *CLEAN),
        (SYSTEM, *CLEAN[:2]),
        (SYSTEM, said("system", "Be kind."), *CLEAN),
        (SYSTEM, *CLEAN[1:]),
        (*CLEAN, SYSTEM),
    ],
    ids=["alone", "first", "answered", "two", "greeted", "last"],
)
def test_no_system_message_is_lost_wherever_it_stands(
    tokenizer: Any, messages: tuple[ChatMessage, ...]
) -> None:
    text, _ = prompt_of(tokenizer, messages)
    for message in messages:
        assert message.text in text


def test_the_assistant_may_have_the_first_word(tokenizer: Any) -> None:
    text, _ = prompt_of(tokenizer, (said("assistant", "Welcome"), said("user", "Hi")))
    assert in_order(text, "Welcome", "Hi")


@pytest.mark.parametrize("goes_on", [False, True])
def test_calls_and_their_results_reach_the_model(tokenizer: Any, goes_on: bool) -> None:
    more = (said("user", "Sure?"),) if goes_on else ()
    asked = said("user", "What is it?")
    messages = (SYSTEM, asked, called("plover"), result("curlew"), *more)
    text, prompt = prompt_of(tokenizer, messages, tools=TOOLS)
    assert in_order(text, "look_up", "curlew")
    assert in_order(text, "What is it?", "plover", *(message.text for message in more))
    assert "Be brief." in text
    assert prompt.uses_fallback_tools or traits_of(tokenizer).knows_tools


def test_thinking_that_comes_back_disturbs_no_template(tokenizer: Any) -> None:
    messages = (
        said("user", "Hello"),
        said("assistant", "Hi", reasoning="A greeting."),
        said("assistant", "and welcome", reasoning="Politely."),
        said("user", "Bye"),
    )
    text, _ = prompt_of(tokenizer, messages)
    assert in_order(text, "Hello", "Hi", "and welcome", "Bye")


@pytest.mark.parametrize("name", GEMMA)
def test_gemma_gets_roles_that_alternate_and_no_system(dress: Dress, name: str) -> None:
    text, prompt = prompt_of(dress(name), MESSY)
    assert text == (
        "<|endoftext|>"
        "<start_of_turn>user\nBe brief.\n\nHello\n\nonce more<end_of_turn>\n"
        "<start_of_turn>model\nHi\n\nand welcome<end_of_turn>\n"
        "<start_of_turn>user\nNow in French.\n\nBye<end_of_turn>\n"
        "<start_of_turn>model\n"
    )
    assert prompt.warnings == (FOLDED, LATER_FOLDED, MERGED, LEFT_OUT)


@pytest.mark.parametrize("name", MISTRAL)
def test_mistral_gets_roles_that_alternate_after_its_system_message(
    dress: Dress, name: str
) -> None:
    text, prompt = prompt_of(dress(name), MESSY)
    assert text.replace(" ", "") == (
        "<|endoftext|>[INST]Hello\n\noncemore[/INST]Hi\n\nandwelcome<|im_end|>"
        "[INST]Bebrief.\n\nNowinFrench.\n\nBye[/INST]"
    )
    assert prompt.warnings == (LATER_FOLDED, MERGED, LEFT_OUT)


@pytest.mark.parametrize("name", MISTRAL)
def test_mistral_keeps_a_system_message_it_would_forget(
    dress: Dress, name: str
) -> None:
    text, prompt = prompt_of(dress(name), (SYSTEM, *CLEAN[:2]))
    assert in_order(text, "[INST]", "Be brief.\n\nHello", "[/INST]")
    assert prompt.warnings == (FOLDED,)


@pytest.mark.parametrize("name", MISTRAL)
def test_mistral_gets_ids_of_calls_as_it_wants_them(dress: Dress, name: str) -> None:
    tokenizer = dress(name)
    assert traits_of(tokenizer).dialect == CallDialect(short_ids=True)
    messages = (
        said("user", "What is it?"),
        called("plover", "abcdefgh1"),
        result("curlew", "abcdefgh1"),
        called("dunlin"),
        result("avocet"),
    )
    text, prompt = prompt_of(tokenizer, messages, tools=TOOLS)
    assert text.count("abcdefgh1") == 2
    assert "call_0123" not in text
    assert not prompt.uses_fallback_tools
    assert prompt.warnings == ()


@pytest.mark.parametrize("name", MISTRAL)
def test_mistral_gets_results_in_words_where_a_question_follows_them(
    dress: Dress, name: str
) -> None:
    messages = (said("user", "What is it?"), called("plover"), result("curlew"))
    text, prompt = prompt_of(
        dress(name), (*messages, said("user", "Sure?")), tools=TOOLS
    )
    assert prompt.uses_fallback_tools
    assert prompt.warnings == (WRITTEN, MERGED)
    assert "<tool_response>\ncurlew\n</tool_response>\n\nSure?" in text


@pytest.mark.parametrize("name", [*MISTRAL, *GEMMA, "trl/gemma3"])
def test_a_strict_template_gets_an_empty_message_before_a_greeting(
    dress: Dress, name: str
) -> None:
    text, prompt = prompt_of(
        dress(name), (said("assistant", "Welcome"), said("user", "Hi"))
    )
    assert prompt.warnings == (EMPTY_FIRST,)
    assert in_order(text, "Welcome", "Hi")


def test_phi_gets_what_its_template_would_leave_out(dress: Dress) -> None:
    text, prompt = prompt_of(dress("phi_like"), MESSY)
    assert text.startswith("<|user|>\nBe brief.\n\nHello<|end|>")
    # Nothing is done that its template does not need.
    assert in_order(text, "<|user|>\nonce more<|end|>", "<|assistant|>\n <|end|>")
    assert prompt.warnings == (FOLDED, LATER_FOLDED)


@pytest.mark.parametrize("name", ["llama3_like", "trl/llama3", "trl/llama3_1"])
def test_llama_takes_any_role_anywhere(dress: Dress, name: str) -> None:
    text, prompt = prompt_of(dress(name), MESSY)
    assert prompt.warnings == ()
    header = "<|start_header_id|>system<|end_header_id|>\n\n"
    assert f"{header}Now in French.<|eot_id|>" in text


@pytest.mark.parametrize("name", ["trl/qwen3_6", "trl/qwen3_8"])
def test_qwen_gets_its_one_system_message_first(dress: Dress, name: str) -> None:
    text, prompt = prompt_of(dress(name), MESSY)
    assert prompt.warnings == (LATER_FOLDED,)
    assert "<|im_start|>user\nNow in French.\n\nBye<|im_end|>" in text


@pytest.mark.parametrize("name", DEEPSEEK)
def test_deepseek_gets_all_system_messages_in_one(dress: Dress, name: str) -> None:
    messages = (SYSTEM, said("system", "Be kind."), *CLEAN)
    text, prompt = prompt_of(dress(name), messages)
    assert text.startswith("<|endoftext|>Be brief.\n\nBe kind.<")
    assert prompt.warnings == (MERGED,)


@pytest.mark.parametrize("name", PARTS)
def test_a_template_that_reads_parts_gets_parts(dress: Dress, name: str) -> None:
    tokenizer = dress(name)
    assert traits_of(tokenizer).reads_parts
    text, prompt = prompt_of(tokenizer, (SYSTEM, *CLEAN))
    assert in_order(text, "Be brief.", "Hello", "Hi", "Bye")
    assert prompt.warnings == ()
