"""A chat request's body becomes a conversation and how to answer it, or a 400."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
from rest_framework.exceptions import ValidationError

from inference.core.requests import (
    ChatPrompt,
    Generate,
    InferenceRequest,
    SamplingRequest,
    SamplingSettings,
)
from inference.protocol import faults
from inference.protocol.body import to_error
from inference.protocol.parameters import chat_parameters
from inference.protocol.stream_options import StreamOptions
from inference.protocol.structure import to_grammar
from inference.protocol.tool_fields import to_tool_use

if TYPE_CHECKING:
    from inference.core.limits import Limits
    from inference.core.requests import ChatMessage

_IGNORED_NAMES = 20
_IGNORED_NAME_CHARS = 64
_RECORDED_BYTES = 1024
_RECORDED_WHOLE = ("user", "metadata")


async def read_request(
    body: dict[str, Any], *, size_bytes: int, limits: Limits, strict: bool
) -> tuple[InferenceRequest, StreamOptions]:
    """Validate a body of that size, in a thread where it could hold up the loop."""
    if size_bytes > limits.parse_in_thread_bytes:
        return await asyncio.to_thread(to_request, body, limits=limits, strict=strict)
    return to_request(body, limits=limits, strict=strict)


def to_request(
    body: dict[str, Any], *, limits: Limits, strict: bool = False
) -> tuple[InferenceRequest, StreamOptions]:
    """Validate `body`; names nobody knows end up in `params["ignored"]`.

    Raises:
        InvalidRequestError: names the first parameter that cannot be honoured;
            where `strict`, also all those that nobody knows.
    """
    table = chat_parameters(limits)
    try:
        values = table.run_validation(body)
    except ValidationError as error:
        raise to_error(error) from None
    if "messages" not in values:
        raise faults.missing("messages")
    _check_continued(values)
    ignored = list(table.unknown_keys(body))
    shown = [name[:_IGNORED_NAME_CHARS] for name in ignored[:_IGNORED_NAMES]]
    if strict and ignored:
        raise faults.unknown(shown, more=len(ignored) - len(shown))
    options = _to_stream_options(values.get("stream_options", {}))
    continues = values.get("continue_final_message", False)
    prompt = ChatPrompt(
        messages=values["messages"],
        tools=to_tool_use(values),
        template_kwargs=values.get("chat_template_kwargs", {}),
        reasoning_effort=values.get("reasoning_effort"),
        add_generation_prompt=values.get("add_generation_prompt", not continues),
        continue_final_message=continues,
    )
    work = Generate(
        prompts=(prompt,),
        sampling=_to_sampling(values),
        n=values.get("n", 1),
        grammar=to_grammar(values),
        continuous_usage=options.continuous_usage,
    )
    request = InferenceRequest(
        work=work,
        model=values.get("model"),
        stream=values.get("stream", False),
        params=_to_params(body, known=values, ignored=shown),
    )
    return request, options


def _to_stream_options(sent: dict[str, Any]) -> StreamOptions:
    is_continuous = sent.get("continuous_usage_stats", False)
    return StreamOptions(
        include_usage=is_continuous or sent.get("include_usage", False),
        continuous_usage=is_continuous,
    )


def _check_continued(values: dict[str, Any]) -> None:
    """Refuse to go on from what is no assistant's text."""
    if not values.get("continue_final_message"):
        return
    if values.get("add_generation_prompt"):
        raise faults.invalid(
            "continue_final_message",
            "cannot be true together with 'add_generation_prompt'.",
        )
    messages: tuple[ChatMessage, ...] = values["messages"]
    path = f"messages[{len(messages) - 1}]"
    if messages[-1].role != "assistant":
        raise faults.invalid(
            f"{path}.role",
            f"must be 'assistant', not '{messages[-1].role}', with "
            "'continue_final_message'.",
        )
    if messages[-1].tool_calls:
        raise faults.invalid(
            f"{path}.tool_calls", "cannot be continued with 'continue_final_message'."
        )


def _to_sampling(values: dict[str, Any]) -> SamplingRequest:
    top_k = values.get("top_k")
    names = SamplingSettings.__struct_fields__
    asked = {name: values[name] for name in names if name in values}
    asked["logprobs"] = (
        values.get("top_logprobs", 0) if values.get("logprobs") else None
    )
    return SamplingRequest(
        temperature=values.get("temperature"),
        top_p=values.get("top_p"),
        top_k=None if top_k is None else max(top_k, 0),
        min_p=values.get("min_p"),
        max_tokens=values.get("max_completion_tokens", values.get("max_tokens")),
        repetition_penalty=values.get("repetition_penalty"),
        **asked,
    )


def _to_params(
    body: dict[str, Any], *, known: dict[str, Any], ignored: list[str]
) -> dict[str, Any]:
    """Keep the parameters as sent, for the record; never messages, never long."""
    params = {
        name: value if name in _RECORDED_WHOLE else _to_recorded(value)
        for name, value in body.items()
        if name in known and name not in ("messages", "model")
    }
    if ignored:
        params["ignored"] = ignored
    return params


def _to_recorded(value: Any) -> Any:
    if isinstance(value, bool | int | float):
        return value
    size_bytes = len(msgspec.json.encode(value))
    return value if size_bytes <= _RECORDED_BYTES else f"({size_bytes} bytes)"
