"""What the protocol's tests share: a body read, or refused."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import asdict

from inference.core.errors import InvalidRequestError
from inference.core.limits import DEFAULT_LIMITS, Limits
from inference.faces.chat.body import to_request

if TYPE_CHECKING:
    from inference.core.requests import ChatMessage, InferenceRequest
    from inference.protocol.stream_options import StreamOptions

MESSAGES = [{"role": "user", "content": "Hi"}]


def read(*, limits: Limits = DEFAULT_LIMITS, **body: Any) -> SimpleNamespace:
    """What became of a body, its work, its conversation and its stream, in one."""
    request, options = to_request({"messages": MESSAGES, **body}, limits=limits)
    return flat(request, options)


def flat(request: InferenceRequest, options: StreamOptions) -> SimpleNamespace:
    parts = (request, request.work, request.work.prompts[0], options)
    return SimpleNamespace(
        **{name: value for part in parts for name, value in asdict(part).items()}
    )


def to_messages(messages: Any, *, limits: Limits) -> tuple[ChatMessage, ...]:
    return read(messages=messages, limits=limits).messages


def refusal_of(
    *, limits: Limits = DEFAULT_LIMITS, strict: bool = False, **body: Any
) -> InvalidRequestError:
    with pytest.raises(InvalidRequestError) as refused:
        to_request({"messages": MESSAGES, **body}, limits=limits, strict=strict)
    assert refused.value.http_status == 400
    assert len(refused.value.message) < 400
    return refused.value


def fault_of(**body: Any) -> tuple[str, str | None]:
    """The code and the parameter of the refusal."""
    error = refusal_of(**body)
    return error.code, error.param
