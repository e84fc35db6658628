"""What a request asks of its answer's form, checked before anything is queued."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from inference.core.requests import ToolMode

if TYPE_CHECKING:
    from inference.core.requests import GenerationRequest
    from inference.core.trace import RequestTrace
    from inference.runtime.checkers import Checkers


async def checked(
    request: GenerationRequest, trace: RequestTrace, checkers: Checkers
) -> GenerationRequest:
    """Return the request with what cannot be enforced of its tools left out.

    Nothing of it is compiled here: that may take all time, all memory or the stack.

    Raises:
        InvalidRequestError: a grammar or a schema cannot be honoured.
        InferenceError: it could not be checked.
    """
    tools = request.tools
    if tools is not None and tools.mode is ToolMode.NONE:
        tools = None
    if request.grammar is None and tools is None:
        return request
    verdict = await checkers.judge(
        request.grammar, tools, request_id=trace.record.request_id
    )
    verdict.honour()
    for warning in verdict.warnings:
        trace.warn(warning)
    if tools is None:
        return request
    return msgspec.structs.replace(request, tools=verdict.apply(tools))
