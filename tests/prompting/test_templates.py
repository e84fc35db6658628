"""From messages to prompt tokens by the model's own template."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from mlx_lm.tokenizer_utils import load as load_tokenizer

from inference.core.errors import (
    InvalidRequestError,
    VisionNotSupportedError,
)
from inference.core.requests import (
    ChatMessage,
    ChatPrompt,
    ImagePart,
    TextPart,
    Tool,
    ToolCall,
    ToolMode,
    ToolUse,
)
from inference.prompting import traits as traits_module
from inference.prompting.effort import EffortTraits
from inference.prompting.templates import RenderedPrompt, render
from inference.prompting.traits import TemplateTraits, traits_of
from tests.prompting.conversations import CLEAN, prompt_of, said

if TYPE_CHECKING:
    from pathlib import Path

    from tests.prompting.conftest import Dress


@pytest.fixture(scope="module")
def tokenizer(tiny_model_dir: Path) -> Any:
    return load_tokenizer(tiny_model_dir)


def to_prompt_tokens(tokenizer: Any, messages: list[ChatMessage]) -> list[int]:
    command = ChatPrompt(tuple(messages))
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
        return "\n".join([*(turn["content"] for turn in turns), self._ending])

    def encode(self, text: str, **_: Any) -> list[int]:
        return list(text.encode())


ADD = Tool("add", "Adds.", {"type": "object", "properties": {"a": {"type": "integer"}}})
CALLED = [
    said("user", "2 + 2?"),
    ChatMessage("assistant", (), tool_calls=(ToolCall("c1", "add", '{"a": 2}'),)),
    ChatMessage("tool", (TextPart("4"),), tool_call_id="c1"),
]
NATIVE = TemplateTraits(knows_tools=True)


def rendered(tokenizer: Any, traits: TemplateTraits, **asked: Any) -> RenderedPrompt:
    asked.setdefault("messages", tuple(CALLED))
    command = ChatPrompt(**asked)
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
    system = said("system", "Be brief.")
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
    levels = EffortTraits({"high": {"reasoning_effort": "high"}})
    rendered(tokenizer, TemplateTraits(effort=levels), reasoning_effort="high")
    assert tokenizer.options["reasoning_effort"] == "high"
    switch = TemplateTraits(effort=EffortTraits(switch="thinking"))
    rendered(tokenizer, switch, reasoning_effort="none")
    assert tokenizer.options.get("thinking") is False
    prompt = rendered(tokenizer, switch, reasoning_effort="low")
    assert tokenizer.options.get("thinking") is True
    assert (prompt.thinking_budget, prompt.ignored) == (1024, ())


@pytest.mark.parametrize(
    ("template", "known"),
    [
        (
            "qwen3_like",
            {"knows_tools": True, "switch": "enable_thinking"},
        ),
        ("gemma_like", {"takes_system": False, "alternates": True}),
        ("phi_like", {"takes_system": False}),
        ("parts_like", {"reads_parts": True}),
        ("trl/qwen3", {"knows_tools": True, "switch": "enable_thinking"}),
        ("trl/gemma", {"takes_system": False, "alternates": True}),
        ("trl/gemma3", {"alternates": True}),
        ("trl/llama3", {}),
    ],
)
def test_it_finds_out_what_a_template_knows_and_takes(
    dress: Dress, template: str, known: dict[str, Any]
) -> None:
    traits = traits_of(dress(template))
    usual = TemplateTraits()
    for name in ("knows_tools", "takes_system", "alternates", "reads_parts"):
        assert getattr(traits, name) == known.get(name, getattr(usual, name)), name
    assert traits.effort.switch == known.get("switch", "")


def test_it_takes_the_default_of_several_templates(inner: Any) -> None:
    inner.chat_template = {
        "default": "{% for m in messages %}{{ m.content }}{% endfor %}",
        "other": "{{ reasoning_effort }}",
    }
    assert traits_of(inner).effort == EffortTraits()


def test_without_a_template_nothing_is_known() -> None:
    assert traits_of(object()) == TemplateTraits()


@pytest.mark.parametrize(
    ("template", "fault"),
    [
        ("{% for %}", "TemplateSyntaxError, line 1"),
        ("{{ raise_exception('not today') }}", "TemplateError: not today"),
        ("nothing of it", "leaves the user's message out"),
        ("{{ ''.__class__.__mro__ }}", "SecurityError"),
        ("{{ messages.append(1) }}", "SecurityError"),
    ],
)
def test_it_says_why_a_template_renders_nothing(
    inner: Any, template: str, fault: str
) -> None:
    inner.chat_template = template
    assert fault in traits_of(inner).fault


def test_it_gives_up_on_a_template_that_does_not_end(
    inner: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traits_module, "PROBE_S", 0.1)
    turns = "{% for a in range(99999) %}"
    inner.chat_template = f"{turns * 4}{'{% endfor %}' * 4}"
    assert "TimeoutError: not rendered within 0.1 s" in traits_of(inner).fault


def test_a_conversation_without_a_system_message_gets_the_models_own(
    dress: Dress,
) -> None:
    own = {"system_prompt": "You are a bird."}
    for template in ("llama3_like", "gemma_like", "mistral_like"):
        tokenizer = dress(template)
        text, _ = prompt_of(tokenizer, CLEAN, **own)
        asked, _ = prompt_of(tokenizer, (said("system", own["system_prompt"]), *CLEAN))
        assert text == asked
        assert "You are a bird." in text
        for role in ("system", "developer"):
            text, _ = prompt_of(tokenizer, (said(role, "Be brief."), *CLEAN), **own)
            assert "You are a bird." not in text
            assert "Be brief." in text


def test_what_a_template_loses_in_any_form_is_said(inner: Any) -> None:
    inner.chat_template = "{{ messages[-1].content[-3:] }}"
    text, prompt = prompt_of(inner, (said("system", "Be brief."), said("user", "Bye")))
    assert text == "Bye"
    assert prompt.warnings == ("the model's chat template leaves a system message out",)


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
    assert refusal.value.param == "messages[1].content[0]"


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


def test_a_template_that_runs_out_of_memory_says_so(tiny_model_dir: Path) -> None:
    asks_much = "{{ messages[0].content.ljust(10 ** 17) }}"
    tokenizer = load_tokenizer(tiny_model_dir, {"chat_template": asks_much})
    with pytest.raises(InvalidRequestError) as refusal:
        to_prompt_tokens(tokenizer, [said("user", "Hello")])
    assert refusal.value.message == (
        "The model's chat template refuses these messages: "
        "there is not enough memory for it"
    )
    assert refusal.value.param == "messages"
