"""A messages request's body becomes a conversation and how to answer it, or a 400."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from inference.core.requests import (
    ChatPrompt,
    Count,
    CountRequest,
    Generate,
    InferenceRequest,
    SamplingRequest,
)
from inference.protocol.body import read_body
from inference.protocol.message_parameters import (
    CountRequestBody,
    DisabledThinkingBody,
    EnabledThinkingBody,
    MessageRequestBody,
)
from inference.protocol.recorded import recorded_params, shown_names
from inference.protocol.tool_fields import Choice, to_tool_use

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference.core.limits import Limits
    from inference.core.requests import ToolUse

# What the record keeps elsewhere, or not at all.
_UNRECORDED = ("messages", "system", "model")
# How much it thinks where thinking is asked for and no effort is named.
_USUAL_EFFORT = "high"


class HowToAnswer(NamedTuple):
    """What the answer does not show, and what was left out of the prompt."""

    hides_thinking: bool
    warnings: tuple[str, ...]


def to_request(
    body: dict[str, Any], *, limits: Limits, strict: bool = False
) -> tuple[InferenceRequest, HowToAnswer]:
    """Validate `body`; names nobody knows end up in `params["ignored"]`.

    Raises:
        InvalidRequestError: names the first parameter that cannot be honoured;
            where `strict`, also all those that nobody knows.
    """
    asked, ignored = read_body(MessageRequestBody, body, limits=limits)
    sampling = SamplingRequest(
        max_tokens=asked.max_tokens,
        temperature=asked.temperature,
        top_p=asked.top_p,
        top_k=asked.top_k,
        stop=asked.stop_sequences,
        thinking_budget=_budget(asked),
    )
    work = Generate(
        prompts=(_to_prompt(asked),),
        sampling=sampling,
        grammar=asked.output_config.grammar,
        # A stream tells at its beginning how long the prompt was.
        continuous_usage=True,
    )
    request = InferenceRequest(
        work=work,
        model=asked.model,
        stream=asked.stream,
        params=_params(asked, body, ignored, strict=strict),
    )
    hides = asked.thinking is not None and asked.thinking.display == "omitted"
    return request, HowToAnswer(hides, _warnings(asked))


def to_count(
    body: dict[str, Any], *, limits: Limits, strict: bool = False
) -> tuple[CountRequest, tuple[str, ...]]:
    """Validate what is to be counted; also return what was left out of it.

    Raises:
        InvalidRequestError: as in `to_request`.
    """
    asked, ignored = read_body(CountRequestBody, body, limits=limits)
    request = CountRequest(
        work=Count(prompt=_to_prompt(asked)),
        model=asked.model,
        params=_params(asked, body, ignored, strict=strict),
    )
    return request, _warnings(asked)


def _to_prompt(asked: CountRequestBody) -> ChatPrompt:
    messages = (*asked.system.messages, *asked.messages.messages)
    continues = messages[-1].role == "assistant"
    return ChatPrompt(
        messages=messages,
        tools=_tool_use(asked),
        reasoning_effort=_effort(asked),
        add_generation_prompt=not continues,
        continue_final_message=continues,
    )


def _tool_use(asked: CountRequestBody) -> ToolUse | None:
    choice = asked.tool_choice
    return to_tool_use(
        asked.tools.tools,
        Choice(choice.mode, choice.function),
        parallel=choice.parallel,
    )


def _effort(asked: CountRequestBody) -> str | None:
    if isinstance(asked.thinking, DisabledThinkingBody):
        return "none"
    effort = asked.output_config.effort
    return effort if asked.thinking is None else effort or _USUAL_EFFORT


def _budget(asked: CountRequestBody) -> int | None:
    thinking = asked.thinking
    return thinking.budget_tokens if isinstance(thinking, EnabledThinkingBody) else None


def _warnings(asked: CountRequestBody) -> tuple[str, ...]:
    return (*asked.system.warnings, *asked.messages.warnings)


def _params(
    asked: CountRequestBody,
    body: dict[str, Any],
    ignored: Sequence[str],
    *,
    strict: bool,
) -> dict[str, Any]:
    names = [*ignored, *asked.tools.ignored]
    return recorded_params(
        type(asked),
        body,
        ignored=shown_names(names, strict=strict),
        leaving_out=_UNRECORDED,
    )
