"""A chat request's body becomes a conversation and how to answer it, or a 400."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from inference.core.requests import ChatPrompt, Generate, Grammar, InferenceRequest
from inference.protocol import faults
from inference.protocol.body import parameters_of, read_body
from inference.protocol.parameters import ChatRequestBody
from inference.protocol.sampling_fields import (
    to_sampling,
    to_stream_options,
    without_meaning,
)
from inference.protocol.structure import to_grammar
from inference.protocol.tool_fields import to_tool_use

if TYPE_CHECKING:
    from inference.core.limits import Limits
    from inference.protocol.stream_options import StreamOptions

_IGNORED_NAMES = 20
_IGNORED_NAME_CHARS = 64
_RECORDED_BYTES = 1024
_RECORDED_WHOLE = ("user", "metadata")
_RECORDED = frozenset(ChatRequestBody.__struct_fields__) - {"messages", "model"}


def prepare(limits: Limits) -> None:
    """Make the types that bodies are read by: longer than the loop may be held up."""
    parameters_of(ChatRequestBody, limits)


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
    """Validate `body`; names without meaning end up in `params["ignored"]`.

    Raises:
        InvalidRequestError: names the first parameter that cannot be honoured;
            where `strict`, also all those without meaning.
    """
    asked, ignored = read_body(ChatRequestBody, body, limits=limits)
    ignored += without_meaning(asked)
    sampling = to_sampling(asked)
    _check_continued(asked)
    shown = [name[:_IGNORED_NAME_CHARS] for name in ignored[:_IGNORED_NAMES]]
    if strict and ignored:
        raise faults.unknown(shown, more=len(ignored) - len(shown))
    begins = asked.add_generation_prompt
    continues = asked.continue_final_message
    prompt = ChatPrompt(
        messages=asked.messages,
        tools=to_tool_use(
            asked.tools, asked.tool_choice, parallel=asked.parallel_tool_calls
        ),
        template_kwargs=asked.chat_template_kwargs,
        reasoning_effort=asked.reasoning_effort,
        add_generation_prompt=not continues if begins is None else begins,
        continue_final_message=continues,
    )
    options = to_stream_options(asked.stream_options)
    work = Generate(
        prompts=(prompt,),
        sampling=sampling,
        n=asked.n,
        grammar=to_grammar(_grammars(asked, body)),
        continuous_usage=options.continuous_usage,
    )
    request = InferenceRequest(
        work=work,
        model=asked.model,
        stream=asked.stream,
        params=_to_params(body, ignored=shown),
    )
    return request, options


def _grammars(asked: ChatRequestBody, body: dict[str, Any]) -> list[Grammar]:
    """Return the grammars of a body, in the order they were sent."""
    names = [name for name in body if name in ChatRequestBody.__struct_fields__]
    values = [getattr(asked, name) for name in names]
    return [value for value in values if isinstance(value, Grammar)]


def _check_continued(asked: ChatRequestBody) -> None:
    """Refuse to go on from what is no assistant's text."""
    if not asked.continue_final_message:
        return
    if asked.add_generation_prompt:
        raise faults.invalid(
            "continue_final_message",
            "cannot be true together with 'add_generation_prompt'.",
        )
    path, last = f"messages[{len(asked.messages) - 1}]", asked.messages[-1]
    if last.role != "assistant":
        raise faults.invalid(
            f"{path}.role",
            f"must be 'assistant', not '{last.role}', with 'continue_final_message'.",
        )
    if last.tool_calls:
        raise faults.invalid(
            f"{path}.tool_calls", "cannot be continued with 'continue_final_message'."
        )


def _to_params(body: dict[str, Any], *, ignored: list[str]) -> dict[str, Any]:
    """Keep the parameters as sent, for the record; never messages, never long."""
    params = {
        name: value if name in _RECORDED_WHOLE else _to_recorded(value)
        for name, value in body.items()
        if name in _RECORDED and value is not None
    }
    if ignored:
        params["ignored"] = ignored
    return params


def _to_recorded(value: Any) -> Any:
    if isinstance(value, bool | int | float):
        return value
    size_bytes = len(msgspec.json.encode(value))
    return value if size_bytes <= _RECORDED_BYTES else f"({size_bytes} bytes)"
