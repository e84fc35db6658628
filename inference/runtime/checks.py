"""What a request asks of its answer's form, checked before anything is queued."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from inference.core.errors import VisionNotSupportedError
from inference.structure.calls import check_tools
from inference.structure.grammars import check

if TYPE_CHECKING:
    from inference.core.requests import ChatMessage, GenerationRequest
    from inference.core.trace import RequestTrace


def refuse_vision(messages: tuple[ChatMessage, ...], *, kind: str) -> None:
    """Refuse images for a model that reads text only.

    Raises:
        VisionNotSupportedError: it names the first message with an image.
    """
    if kind == "vlm":
        return
    at = next(at for at, message in enumerate(messages) if message.has_images)
    raise VisionNotSupportedError(
        "Vision requests are not supported with text-only models",
        param=f"messages[{at}].content",
    )


async def checked(request: GenerationRequest, trace: RequestTrace) -> GenerationRequest:
    """Return the request with what cannot be enforced of its tools left out.

    Compiling a grammar may take a fifth of a second, so it happens in a thread.

    Raises:
        InvalidRequestError: a grammar or a schema cannot be honoured.
    """
    if request.grammar is not None:
        await asyncio.to_thread(check, request.grammar)
    if request.tools is None:
        return request
    tools, warnings = await asyncio.to_thread(check_tools, request.tools)
    for warning in warnings:
        trace.warn(warning)
    return msgspec.structs.replace(request, tools=tools)
