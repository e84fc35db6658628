"""A request for a response becomes a conversation and how to answer it, or a 400."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from inference.core.requests import (
    ChatPrompt,
    Generate,
    InferenceRequest,
    SamplingRequest,
)
from inference.protocol import faults
from inference.protocol.body import parameters_of, read_body
from inference.protocol.recorded import recorded_params, shown_names
from inference.protocol.response_parameters import (
    INCLUDED,
    LOGPROBS,
    ResponseRequestBody,
)
from inference.protocol.response_turns import ItemTurns
from inference.protocol.tool_fields import to_tool_use

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inference.core.limits import Limits
    from inference.core.requests import ToolUse
    from inference.core.stored import Item
    from inference.protocol.response_items import ItemBody

# What the record keeps elsewhere, or not at all.
_UNRECORDED = ("input", "instructions", "model")


class AskedResponse(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked, and what of it the record keeps."""

    body: ResponseRequestBody
    params: dict[str, Any]


def to_asked(
    body: dict[str, Any], *, limits: Limits, strict: bool = False
) -> AskedResponse:
    """Validate `body`; names without meaning end up in `params["ignored"]`.

    Raises:
        InvalidRequestError: names the first parameter that cannot be honoured;
            where `strict`, also all those without meaning.
    """
    asked, ignored = read_body(ResponseRequestBody, body, limits=limits)
    ignored += _without_meaning(asked)
    if asked.conversation and asked.previous_response_id:
        why = "cannot be combined with 'conversation'."
        raise faults.invalid("previous_response_id", why)
    params = recorded_params(
        ResponseRequestBody,
        body,
        ignored=shown_names(ignored, strict=strict),
        leaving_out=_UNRECORDED,
    )
    return AskedResponse(body=asked, params=params)


def read_items(items: Sequence[Item], *, limits: Limits) -> tuple[ItemBody, ...]:
    """Return items that were kept as they are read from a request."""
    field = parameters_of(ResponseRequestBody, limits)["input"]
    found: tuple[ItemBody, ...] = field.read(list(items), [])
    return found


def to_request(
    asked: AskedResponse,
    before: Sequence[ItemBody],
    sent: Sequence[ItemBody],
    limits: Limits,
) -> tuple[InferenceRequest, tuple[str, ...]]:
    """Put what was asked behind what came before; also tell what was left out.

    Raises:
        InvalidRequestError: the items do not follow from each other, or there are none.
    """
    body = asked.body
    turns = ItemTurns.of(
        [*_placed(before, _before(body)), *_placed(sent, "input")],
        instructions=body.instructions or "",
    )
    if not turns.messages:
        raise faults.missing("input")
    if len(turns.messages) > limits.messages:
        raise faults.too_long(
            "input", limit=limits.messages, length=len(turns.messages), what="array"
        )
    prompt = ChatPrompt(
        messages=tuple(turns.messages),
        tools=_tool_use(body),
        reasoning_effort=body.reasoning.effort if body.reasoning else None,
    )
    work = Generate(
        prompts=(prompt,),
        sampling=_sampling(body),
        grammar=body.text.grammar,
        truncates=body.truncation == "auto",
    )
    request = InferenceRequest(
        work=work, model=body.model, stream=body.stream, params=asked.params
    )
    return request, (*turns.warnings, *body.tools.warnings)


def _before(body: ResponseRequestBody) -> str:
    return "conversation" if body.conversation else "previous_response_id"


def _placed(items: Sequence[ItemBody], path: str) -> Iterator[tuple[str, ItemBody]]:
    return ((f"{path}[{at}]", item) for at, item in enumerate(items))


def _tool_use(body: ResponseRequestBody) -> ToolUse | None:
    choice = body.tool_choice.among(body.tools.shapes)
    return to_tool_use(body.tools.tools, choice, parallel=body.parallel_tool_calls)


def _sampling(body: ResponseRequestBody) -> SamplingRequest:
    is_greedy = body.top_p == 0
    told = body.top_logprobs
    if told is None and LOGPROBS in body.include:
        told = 0
    return SamplingRequest(
        # The prompt is kept once a token of its answer is made.
        max_tokens=1 if body.only_prepares else body.max_output_tokens,
        temperature=0.0 if is_greedy else body.temperature,
        top_p=None if is_greedy else body.top_p,
        presence_penalty=body.presence_penalty,
        frequency_penalty=body.frequency_penalty,
        logprobs=told,
    )


def _without_meaning(body: ResponseRequestBody) -> list[str]:
    names = [f"include[].{name}" for name in body.include if name not in INCLUDED]
    if body.text.verbosity not in (None, "medium"):
        names.append("text.verbosity")
    return names
