"""Messages that strict templates refuse are folded and merged, and it is said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from transformers import AutoTokenizer

from inference.core.frames import PreparePrompt
from inference.core.requests import ChatMessage, TextPart
from inference.prompting.alternation import normalised
from inference.prompting.templates import RenderedPrompt, render, traits_of

if TYPE_CHECKING:
    from pathlib import Path

# Like Gemma's: no system role, roles alternate, the assistant is called model.
GEMMA_LIKE = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}"
    "{% endif %}{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}"
    "<start>{{ 'model' if message['role'] == 'assistant' else message['role'] }}\n"
    "{{ message['content'] | trim }}<end>\n{% endfor %}<start>model"
)
# Like Llama 3's: any role, any order.
LLAMA_LIKE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}"
    "<end>{% endfor %}<|assistant|>"
)


class Wrapped:
    """The part of mlx-lm's wrapper that prompting uses, around any template."""

    has_chat_template = True
    has_tool_calling = False

    def __init__(self, inner: Any, template: str) -> None:
        self._inner = inner
        self.chat_template = inner.chat_template = template

    def apply_chat_template(self, turns: Any, **options: Any) -> Any:
        return self._inner.apply_chat_template(turns, **options)

    def encode(self, text: str, **options: Any) -> list[int]:
        tokens: list[int] = self._inner.encode(text, **options)
        return tokens

    def rendered(self, *said: tuple[str, str]) -> tuple[str, RenderedPrompt]:
        messages = tuple(ChatMessage(role, (TextPart(text),)) for role, text in said)
        command = PreparePrompt(prompt_id=1, messages=messages)
        prompt = render(self, command, traits_of(self), think_start=None)
        return self._inner.decode(prompt.tokens), prompt


@pytest.fixture
def inner(tiny_model_dir: Path) -> Any:
    return AutoTokenizer.from_pretrained(str(tiny_model_dir))


def test_it_folds_and_merges_for_a_strict_template(inner: Any) -> None:
    gemma = Wrapped(inner, GEMMA_LIKE)
    traits = traits_of(gemma)
    assert (traits.takes_system, traits.alternates) == (False, True)
    text, prompt = gemma.rendered(
        ("system", "Be brief."),
        ("user", "Hello"),
        ("user", "again"),
        ("assistant", " "),
        ("assistant", "Hi"),
        ("user", "Bye"),
    )
    assert text == (
        "<start>user\nBe brief.\n\nHello\n\nagain<end>\n"
        "<start>model\nHi<end>\n<start>user\nBye<end>\n<start>model"
    )
    assert len(prompt.warnings) == 3


def test_it_leaves_messages_alone_where_the_template_takes_them(inner: Any) -> None:
    llama = Wrapped(inner, LLAMA_LIKE)
    text, prompt = llama.rendered(("system", "S"), ("user", "a"), ("user", ""))
    assert text == "<|system|>S<end><|user|>a<end><|user|><end><|assistant|>"
    assert prompt.warnings == ()


def test_a_system_message_alone_becomes_the_users() -> None:
    turns, _ = normalised(
        [{"role": "system", "content": "Be brief."}],
        takes_system=False,
        alternates=True,
    )
    assert turns == [{"role": "user", "content": "Be brief."}]


def test_it_does_not_merge_what_carries_calls() -> None:
    call = {"role": "assistant", "content": "", "tool_calls": [{}]}
    turns = [{"role": "user", "content": "x"}, call, call]
    assert normalised(turns, takes_system=True, alternates=True) == (turns, ())
