"""From messages to prompt tokens by the model's own template."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from inference.core.errors import InvalidRequestError, VisionNotSupportedError
from inference.core.requests import ChatMessage, ImagePart, TextPart
from inference.engines.text import load_text_model
from inference.prompting.templates import to_prompt_tokens

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def tokenizer(tiny_model_dir: Path) -> Any:
    return load_text_model(tiny_model_dir).tokenizer


def said(role: str, *texts: str) -> ChatMessage:
    return ChatMessage(role, tuple(TextPart(text) for text in texts))


def test_it_ends_the_prompt_where_the_answer_begins(tokenizer: Any) -> None:
    text = tokenizer.decode(to_prompt_tokens(tokenizer, [said("user", "Hello")]))
    assert "Hello" in text
    assert text.rstrip().endswith("assistant")


def test_it_joins_text_parts_and_reads_developer_as_system(tokenizer: Any) -> None:
    parts = [said("developer", "Be ", "brief."), said("user", "Hi")]
    whole = [said("system", "Be brief."), said("user", "Hi")]
    assert to_prompt_tokens(tokenizer, parts) == to_prompt_tokens(tokenizer, whole)


def test_it_names_the_message_that_carries_an_image(tokenizer: Any) -> None:
    picture = ChatMessage("user", (ImagePart("data:image/png;base64,AA=="),))
    with pytest.raises(VisionNotSupportedError) as refusal:
        to_prompt_tokens(tokenizer, [said("user", "Hello"), picture])
    assert refusal.value.param == "messages[1].content"


def test_it_tells_the_client_what_the_template_refuses(tokenizer: Any) -> None:
    class Strict:
        has_chat_template = True

        def apply_chat_template(self, *_: Any, **__: Any) -> Any:
            raise ValueError("roles must alternate")

    with pytest.raises(InvalidRequestError, match="roles must alternate"):
        to_prompt_tokens(Strict(), [said("user", "Hello")])  # type: ignore[arg-type]


def test_it_writes_a_plain_transcript_without_a_template(tokenizer: Any) -> None:
    class Plain:
        has_chat_template = False

        def encode(self, text: str, **_: Any) -> list[int]:
            return list(text.encode())

    tokens = to_prompt_tokens(Plain(), [said("user", "Hello")])  # type: ignore[arg-type]
    assert bytes(tokens).decode() == "User: Hello\n\nAssistant:"
