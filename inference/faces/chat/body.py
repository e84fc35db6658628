"""A chat request's body becomes a conversation and how to answer it, or a 400."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from inference.core.requests import ChatPrompt, Generate, InferenceRequest
from inference.protocol import faults
from inference.protocol.body import read_body
from inference.protocol.parameters import ChatRequestBody
from inference.protocol.recorded import recorded_params, shown_names
from inference.protocol.sampling_fields import (
    to_sampling,
    to_stream_options,
    without_meaning,
)
from inference.protocol.structure import grammars_of, to_grammar
from inference.protocol.tool_fields import to_tool_use

if TYPE_CHECKING:
    from inference.core.limits import Limits
    from inference.core.requests import ChatMessage
    from inference.protocol.stream_options import StreamOptions


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
    check_continued(asked)
    shown = shown_names(ignored, strict=strict)
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
        grammar=to_grammar(grammars_of(asked, body)),
        continuous_usage=options.continuous_usage,
    )
    request = InferenceRequest(
        work=work,
        model=asked.model,
        stream=asked.stream,
        params=recorded_params(
            ChatRequestBody, body, ignored=shown, leaving_out=("messages", "model")
        ),
    )
    return request, options


class ContinuedBody(Protocol):
    """What a body says of the end of its conversation."""

    @property
    def messages(self) -> tuple[ChatMessage, ...]:
        """The conversation."""

    @property
    def add_generation_prompt(self) -> bool | None:
        """Whether an answer begins after it."""

    @property
    def continue_final_message(self) -> bool:
        """Whether the answer goes on from its last message."""


def check_continued(asked: ContinuedBody) -> None:
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
