"""What the faces need before the first request of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.protocol.body import parameters_of
from inference.protocol.completion_parameters import CompletionRequestBody
from inference.protocol.message_parameters import CountRequestBody, MessageRequestBody
from inference.protocol.parameters import ChatRequestBody
from inference.protocol.response_parameters import ResponseRequestBody
from inference.protocol.token_parameters import (
    DetokenizeRequestBody,
    TokenizeRequestBody,
)

if TYPE_CHECKING:
    from inference.core.limits import Limits


def prepare(limits: Limits) -> None:
    """Make the types that bodies are read by: longer than the loop may be held up."""
    for body in (
        ChatRequestBody,
        CompletionRequestBody,
        MessageRequestBody,
        CountRequestBody,
        TokenizeRequestBody,
        DetokenizeRequestBody,
        ResponseRequestBody,
    ):
        parameters_of(body, limits)
