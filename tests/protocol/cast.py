"""What the protocol's tests share: a body read, or refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from inference.core.errors import InvalidRequestError
from inference.core.limits import DEFAULT_LIMITS, Limits
from inference.protocol.chat import to_generation

if TYPE_CHECKING:
    from inference.core.requests import ChatMessage, GenerationRequest

MESSAGES = [{"role": "user", "content": "Hi"}]


def read(*, limits: Limits = DEFAULT_LIMITS, **body: Any) -> GenerationRequest:
    return to_generation({"messages": MESSAGES, **body}, limits=limits)


def to_messages(messages: Any, *, limits: Limits) -> tuple[ChatMessage, ...]:
    return read(messages=messages, limits=limits).messages


def refusal_of(
    *, limits: Limits = DEFAULT_LIMITS, strict: bool = False, **body: Any
) -> InvalidRequestError:
    with pytest.raises(InvalidRequestError) as refused:
        to_generation({"messages": MESSAGES, **body}, limits=limits, strict=strict)
    assert refused.value.http_status == 400
    assert len(refused.value.message) < 400
    return refused.value


def fault_of(**body: Any) -> tuple[str, str | None]:
    """The code and the parameter of the refusal."""
    error = refusal_of(**body)
    return error.code, error.param
