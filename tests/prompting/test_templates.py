"""From messages to prompt tokens by the model's own template."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from inference.core.errors import (
    InvalidRequestError,
    UnsupportedParameterError,
    VisionNotSupportedError,
)
from inference.core.frames import PreparePrompt
from inference.core.requests import (
    ChatMessage,
    ImagePart,
    TextPart,
    Tool,
    ToolCall,
    ToolMode,
    ToolUse,
)
from inference.engines.text import load_text_model
from inference.prompting.templates import (
    RenderedPrompt,
    TemplateTraits,
    render,
    traits_of,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def tokenizer(tiny_model_dir: Path) -> Any:
    return load_text_model(tiny_model_dir).tokenizer


def said(role: str, *texts: str) -> ChatMessage:
    return ChatMessage(role, tuple(TextPart(text) for text in texts))


def to_prompt_tokens(tokenizer: Any, messages: list[ChatMessage]) -> list[int]:
    command = PreparePrompt(prompt_id=1, messages=tuple(messages))
    return render(tokenizer, command, traits_of(tokenizer), think_start=None).tokens


class Recorder:
    """A tokenizer that keeps what its template was given."""

    has_chat_template = True
    has_tool_calling = True

    def __init__(self, ending: str = "") -> None:
        self.turns: list[dict[str, Any]] = []
        self.options: dict[str, Any] = {}
        self._ending = ending

    def apply_chat_template(self, turns: Any, **options: Any) -> str:
        self.turns, self.options = turns, options
        return f"prompt{self._ending}"

    def encode(self, text: str, **_: Any) -> list[int]:
        return list(text.encode())


def said_by(role: str, text: str) -> ChatMessage:
    return ChatMessage(role, (TextPart(text),))


ADD = Tool("add", "Adds.", {"type": "object", "properties": {"a": {"type": "integer"}}})
CALLED = [
    said_by("user", "2 + 2?"),
    ChatMessage("assistant", (), tool_calls=(ToolCall("c1", "add", '{"a": 2}'),)),
    ChatMessage("tool", (TextPart("4"),), tool_call_id="c1"),
]
NATIVE = TemplateTraits(knows_tools=True)


def rendered(tokenizer: Any, traits: TemplateTraits, **asked: Any) -> RenderedPrompt:
    asked.setdefault("messages", tuple(CALLED))
    command = PreparePrompt(prompt_id=1, **asked)
    return render(tokenizer, command, traits, think_start="<think>")


def test_a_template_that_knows_tools_gets_them_as_openai_writes_them() -> None:
    tokenizer = Recorder()
    prompt = rendered(tokenizer, NATIVE, tools=ToolUse((ADD,)))
    assert not prompt.uses_fallback_tools
    (tool,) = tokenizer.options["tools"]
    assert tool["function"]["name"] == "add"
    call = tokenizer.turns[1]["tool_calls"][0]
    assert call["function"] == {"name": "add", "arguments": {"a": 2}}
    assert tokenizer.turns[2] == {
        "role": "tool",
        "content": "4",
        "tool_call_id": "c1",
        "name": "add",
    }


def test_a_template_that_knows_none_gets_tools_calls_and_results_as_words() -> None:
    tokenizer = Recorder()
    system = said_by("system", "Be brief.")
    prompt = rendered(
        tokenizer, TemplateTraits(), tools=ToolUse((ADD,)), messages=(system, *CALLED)
    )
    assert prompt.uses_fallback_tools
    first, _, called, result = tokenizer.turns
    assert first["role"] == "system"
    assert first["content"].startswith("Be brief.\n\n")
    assert '"name": "add"' in first["content"]
    assert '<tool_call>\n{"name": "add", "arguments": {"a": 2}}' in called["content"]
    assert (result["role"], "4" in result["content"]) == ("user", True)


def test_tools_that_must_not_be_called_stay_out_of_the_prompt() -> None:
    for traits in (NATIVE, TemplateTraits()):
        tokenizer = Recorder()
        rendered(tokenizer, traits, tools=ToolUse((ADD,), mode=ToolMode.NONE))
        assert "tools" not in tokenizer.options
        assert tokenizer.turns[0]["role"] == "user"


def test_it_sees_that_a_template_has_opened_the_thinking() -> None:
    assert rendered(Recorder("<think>\n"), NATIVE).opens_thinking
    assert not rendered(Recorder("<think>\n\n</think>\n\n"), NATIVE).opens_thinking


def test_template_arguments_reach_the_template() -> None:
    tokenizer = Recorder()
    rendered(tokenizer, NATIVE, template_kwargs={"enable_thinking": False})
    assert tokenizer.options["enable_thinking"] is False


def test_an_effort_reaches_templates_that_know_it() -> None:
    tokenizer = Recorder()
    rendered(tokenizer, TemplateTraits(knows_effort=True), reasoning_effort="high")
    assert tokenizer.options["reasoning_effort"] == "high"
    rendered(tokenizer, TemplateTraits(toggle="thinking"), reasoning_effort="none")
    assert tokenizer.options["thinking"] is False
    rendered(tokenizer, TemplateTraits(), reasoning_effort="medium")
    with pytest.raises(UnsupportedParameterError, match="'none' and 'medium'"):
        rendered(tokenizer, TemplateTraits(toggle="thinking"), reasoning_effort="high")


def test_it_reads_off_a_template_what_it_knows() -> None:
    class Qwen(Recorder):
        chat_template = (
            "{% if tools %}{{ tools | tojson }}{% endif %}"
            "{% if enable_thinking is defined %}x{% endif %}"
        )

    class Effort(Recorder):
        chat_template = [{"name": "default", "template": "{{ reasoning_effort }}"}]

    assert traits_of(Qwen()) == TemplateTraits(
        knows_tools=True, toggle="enable_thinking"
    )
    assert traits_of(Effort()) == TemplateTraits(knows_effort=True)
    assert traits_of(object()) == TemplateTraits()


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
