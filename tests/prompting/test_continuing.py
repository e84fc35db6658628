"""A prompt that goes on from the assistant's last message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from inference.core.errors import InvalidRequestError
from tests.prompting.conversations import CLEAN, prompt_of, said

if TYPE_CHECKING:
    from tests.prompting.conftest import Dress

LIKE = ("qwen3_like", "deepseek_r1_like", "llama3_like", "gemma_like", "mistral_like")
ASKED = {"continue_final_message": True, "add_generation_prompt": False}


def goes_on(tokenizer: Any, *messages: Any, **more: Any) -> tuple[str, Any]:
    tags = {"think_start": getattr(tokenizer, "think_start", None)}
    return prompt_of(tokenizer, messages, **ASKED, **tags, **more)


@pytest.mark.parametrize("template", [*LIKE, "phi_like", "parts_like"])
@pytest.mark.parametrize(
    "last", ["Once upon", "Once upon ", "It is <b>", "<|im_end|>x"]
)
def test_the_prompt_ends_with_what_was_said(
    dress: Dress, template: str, last: str
) -> None:
    tokenizer = dress(template, thinks=True)
    text, prompt = goes_on(tokenizer, CLEAN[0], said("assistant", last))
    assert text.endswith(last)
    assert not prompt.opens_thinking
    assert prompt.continues


@pytest.mark.parametrize("template", LIKE)
def test_thinking_is_closed_before_a_text_that_goes_on(
    dress: Dress, template: str
) -> None:
    tokenizer = dress(template, thinks=True)
    last = said("assistant", "It is", reasoning="A bird.")
    text, prompt = goes_on(tokenizer, CLEAN[0], last)
    assert text.endswith("It is")
    assert text.count("A bird.") == 1
    assert text.index("A bird.") < text.index("</think>") < text.index("It is")
    assert not prompt.opens_thinking


@pytest.mark.parametrize("template", LIKE)
@pytest.mark.parametrize("raw", [False, True])
def test_thinking_without_a_text_goes_on_itself(
    dress: Dress, template: str, raw: bool
) -> None:
    tokenizer = dress(template, thinks=True)
    last = said("assistant", "<think>\nA bird") if raw else None
    last = last or said("assistant", reasoning="A bird")
    text, prompt = goes_on(tokenizer, CLEAN[0], last)
    assert text.endswith("<think>\nA bird")
    assert text.count("<think>") == 1
    assert prompt.opens_thinking
    assert not prompt.continues


def test_thinking_between_tags_is_told_from_the_text(dress: Dress) -> None:
    tokenizer = dress("qwen3_like", thinks=True)
    apart = said("assistant", "It is", reasoning="A bird.")
    raw = said("assistant", "<think>\nA bird.\n</think>\n\nIt is")
    assert (
        goes_on(tokenizer, CLEAN[0], apart)[0] == goes_on(tokenizer, CLEAN[0], raw)[0]
    )


def test_an_empty_message_is_an_answer_that_begins(dress: Dress) -> None:
    tokenizer = dress("qwen3_like")
    text, prompt = goes_on(tokenizer, CLEAN[0], said("assistant", ""))
    assert text == prompt_of(tokenizer, CLEAN[:1])[0]
    assert not prompt.continues


def test_a_template_that_wants_the_users_word_last_is_gone_on_from(inner: Any) -> None:
    inner.chat_template = (
        "{% if messages[-1].role != 'user' %}{{ raise_exception('user last') }}{% endif %}"
        "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}[assistant]"
    )
    text, _ = goes_on(inner, CLEAN[0], said("assistant", "It is"))
    assert text == "[user]Hello[assistant]It is"


def test_what_cannot_be_rendered_at_all_is_refused(inner: Any) -> None:
    inner.chat_template = (
        "{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}"
    )
    with pytest.raises(InvalidRequestError):
        goes_on(inner, said("assistant", "It is"))


def test_without_a_generation_prompt_no_answer_is_begun(dress: Dress) -> None:
    text, prompt = prompt_of(dress("qwen3_like"), CLEAN, add_generation_prompt=False)
    assert text.endswith("Bye<|im_end|>\n")
    assert not prompt.continues


def test_a_model_without_a_template_goes_on_too(inner: Any) -> None:
    class Plain:
        has_chat_template = False
        encode, decode = inner.encode, inner.decode

    text, _ = goes_on(Plain(), CLEAN[0], said("assistant", "It is"))
    assert text == "User: Hello\n\nAssistant: It is"
