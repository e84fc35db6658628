"""What a request asks of its answer's form, checked before anything is queued."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from inference.structure.calls import check_tools
from inference.structure.grammars import check

if TYPE_CHECKING:
    from inference.core.requests import GenerationRequest
    from inference.core.trace import RequestTrace


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
