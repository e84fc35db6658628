"""From messages to prompt tokens by the model's own chat template."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import jinja2.meta
from jinja2 import Environment, TemplateError

from inference.core.errors import (
    InvalidRequestError,
    UnsupportedParameterError,
    VisionNotSupportedError,
)
from inference.core.requests import ToolMode
from inference.prompting.alternation import normalised
from inference.prompting.turns import native_turns, tool_objects, written_turns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inference.core.frames import PreparePrompt
    from inference.core.requests import ChatMessage

_TOGGLES = ("enable_thinking", "thinking")
_USUAL_EFFORT = "medium"


class Tokenizer(Protocol):
    """The part of a tokenizer that prompting needs."""

    has_chat_template: bool

    def apply_chat_template(self, messages: Any, **options: Any) -> Any:
        """Render messages, to text or to token ids."""

    def encode(self, text: str, **options: Any) -> list[int]:
        """Turn text into token ids."""


@dataclass(frozen=True, slots=True)
class TemplateTraits:
    """What a template reads: tools, an effort, and the toggle of its thinking.

    `takes_system`: it has a system role. `alternates`: it refuses two turns of one
    role in a row.
    """

    knows_tools: bool = False
    knows_effort: bool = False
    toggle: str = ""
    takes_system: bool = True
    alternates: bool = False


@dataclass(frozen=True, slots=True)
class RenderedPrompt:
    """A prompt's tokens, never empty.

    `opens_thinking`: they end inside the model's thinking. `uses_fallback_tools`:
    its tools were explained in words, because its template knows none.
    """

    tokens: list[int]
    opens_thinking: bool = False
    uses_fallback_tools: bool = False
    warnings: tuple[str, ...] = ()


def traits_of(tokenizer: Any) -> TemplateTraits:
    """Read a tokenizer's template, whatever shape it has; none has no traits."""
    names = _names_in(getattr(tokenizer, "chat_template", None))
    return TemplateTraits(
        # Tools are of use only where somebody can read the calls they lead to.
        knows_tools="tools" in names and getattr(tokenizer, "has_tool_calling", False),
        knows_effort="reasoning_effort" in names,
        toggle=next((toggle for toggle in _TOGGLES if toggle in names), ""),
        takes_system=_takes(tokenizer, "system", "user"),
        alternates=not _takes(tokenizer, "user", "user"),
    )


def _takes(tokenizer: Any, *roles: str) -> bool:
    """Whether a template takes turns of these roles; tried out, as none says so."""
    if not getattr(tokenizer, "has_chat_template", False):
        return True
    turns = [{"role": role, "content": "x"} for role in roles]
    try:
        tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    except Exception:  # noqa: BLE001 -- templates raise whatever they like
        return False
    return True


def render(
    tokenizer: Tokenizer,
    command: PreparePrompt,
    traits: TemplateTraits,
    *,
    think_start: str | None,
) -> RenderedPrompt:
    """Render a prompt with the tokenizer's template.

    `think_start` is the tag that begins the model's thinking, if it thinks.

    Raises:
        VisionNotSupportedError: a message carries an image.
        UnsupportedParameterError: the template knows no such reasoning effort.
        InvalidRequestError: the template refuses these messages.
    """
    _refuse_images(command.messages)
    options = dict(command.template_kwargs)
    options |= _effort_options(
        command.reasoning_effort, traits, thinks=think_start is not None
    )
    tools = command.tools
    if tools is not None and tools.mode is ToolMode.NONE:
        tools = None
    if traits.knows_tools:
        turns = native_turns(command.messages)
        if tools is not None:
            options["tools"] = tool_objects(tools.tools)
    else:
        turns = written_turns(command.messages, tools)
    turns, warnings = normalised(
        turns, takes_system=traits.takes_system, alternates=traits.alternates
    )
    text, tokens = _tokens_of(tokenizer, turns, options)
    if not tokens:
        raise InvalidRequestError("The prompt is empty.", param="messages")
    return RenderedPrompt(
        tokens=tokens,
        opens_thinking=bool(think_start and text.rstrip().endswith(think_start)),
        uses_fallback_tools=tools is not None and not traits.knows_tools,
        warnings=warnings,
    )


def _names_in(template: Any) -> set[str]:
    """Return the variables that a template, or several by name, reads."""
    if isinstance(template, dict):
        template = list(template.values())
    if isinstance(template, list):
        sources = [t["template"] if isinstance(t, dict) else t for t in template]
        return set().union(*(_names_in(source) for source in sources))
    if not isinstance(template, str):
        return set()
    environment = Environment(  # noqa: S701 -- parsed only, nothing is rendered
        extensions=["jinja2.ext.loopcontrols", "jinja2.ext.do"]
    )
    try:
        return jinja2.meta.find_undeclared_variables(environment.parse(template))
    except TemplateError:
        # Tags of transformers' own, such as `generation`.
        words = ("tools", "reasoning_effort", *_TOGGLES)
        return {word for word in words if word in template}


def _effort_options(
    effort: str | None, traits: TemplateTraits, *, thinks: bool
) -> Mapping[str, Any]:
    if effort is None:
        return {}
    if traits.knows_effort:
        return {"reasoning_effort": effort}
    if effort == "none" and traits.toggle:
        return {traits.toggle: False}
    if effort == _USUAL_EFFORT or (effort == "none" and not thinks):
        return {}
    known = [*(["none"] if traits.toggle or not thinks else []), _USUAL_EFFORT]
    names = " and ".join(f"'{name}'" for name in known)
    raise UnsupportedParameterError(
        f"Unsupported parameter: 'reasoning_effort' '{effort}' means nothing to this "
        f"model's template. It takes {names}.",
        param="reasoning_effort",
    )


def _refuse_images(messages: tuple[ChatMessage, ...]) -> None:
    for at, message in enumerate(messages):
        if message.has_images:
            raise VisionNotSupportedError(
                "Vision requests are not supported with text-only models",
                param=f"messages[{at}].content",
            )


def _tokens_of(
    tokenizer: Tokenizer, turns: list[dict[str, Any]], options: dict[str, Any]
) -> tuple[str, list[int]]:
    if not tokenizer.has_chat_template:
        text = _plain_transcript(turns)
        return text, list(tokenizer.encode(text))
    try:
        text = tokenizer.apply_chat_template(
            turns, tokenize=False, add_generation_prompt=True, **options
        )
    except (TemplateError, TypeError, ValueError, LookupError) as error:
        raise InvalidRequestError(
            f"The model's chat template refuses these messages: {error}",
            param="messages",
        ) from error
    # The template has written the special tokens already.
    return text, list(tokenizer.encode(text, add_special_tokens=False))


def _plain_transcript(turns: list[dict[str, Any]]) -> str:
    """Return the prompt for a model without a template: roles as plain words."""
    lines = [f"{turn['role'].capitalize()}: {turn['content']}" for turn in turns]
    return "\n\n".join([*lines, "Assistant:"])
