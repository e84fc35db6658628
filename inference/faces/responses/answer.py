"""A response on the wire, whole and as its events: owns their order and encoding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from inference.core.errors import ContextLengthExceededError
from inference.core.outcomes import FinishReason, Outcome
from inference.core.requests import Delta, ToolCallDelta, Usage
from inference.exchange.writers import Face
from inference.faces.responses.resource import filled_in, response_usage
from inference.protocol.errors import error_body, error_object
from inference.protocol.sse import DONE, Event, framed

if TYPE_CHECKING:
    from collections.abc import (
        Awaitable,
        Callable,
        Iterable,
        Iterator,
        Mapping,
        Sequence,
    )

    from inference.core.collected import CollectedAnswer, CollectedChoice
    from inference.core.errors import InferenceError
    from inference.faces.responses.items import EventBody
    from inference.faces.responses.output import ResponseOutput

    Keep = Callable[[dict[str, Any], tuple[EventBody, ...]], Awaitable[None]]

_encode = msgspec.json.Encoder().encode
# OpenAI's list of codes is closed; one that is not in it is told in the `error` event.
_CODES = ("invalid_image", "image_too_large", ContextLengthExceededError.code)
_CODE = "server_error"
_CODE_OF = {
    "rate_limit_error": "rate_limit_exceeded",
    "invalid_request_error": "invalid_prompt",
}


def response_error(error: InferenceError) -> dict[str, Any]:
    """Return an error as responses tell it: what is asked is called `input` here."""
    told = error_object(error)
    param = told["param"]
    if param is not None and param.partition("[")[0] == "messages":
        told["param"] = f"input{param.removeprefix('messages')}"
    return told


def _error_body(error: InferenceError, _request_id: str) -> bytes:
    found: dict[str, Any] = msgspec.json.decode(error_body(error))
    return _encode(found | {"error": response_error(error)})


RESPONSES = Face(_error_body)


class ResponseWriter:
    """Writes one request's answer as a response, or as its events.

    `defaults` tells what stood in for what was not sent, once that is known. `keep`
    is awaited with the response and its events before a client can know of its end;
    without it nothing is held. Where it `only_prepares`, nothing that the model says
    is told.
    """

    def __init__(
        self,
        resource: dict[str, Any],
        output: ResponseOutput,
        *,
        defaults: Callable[[], Mapping[str, Any]] = dict,
        now: Callable[[], int],
        keep: Keep | None = None,
        only_prepares: bool = False,
    ) -> None:
        self._resource = resource
        self._output = output
        self._defaults = defaults
        self._now = now
        self._keep = keep
        self._only_prepares = only_prepares
        self._usage: Usage | None = None
        self._is_cut = False
        self._begun = False
        self._is_queued = False
        self._sequence = 0
        self._told: list[EventBody] = []
        self._before_end: int | None = None
        self._kept_as = ""

    def keep_alive(self) -> bytes:
        """Return an event: Codex hears no comments, and gives up after a while."""
        beginning = list(self._beginning())
        return framed(self._encoded(beginning or [self._lifecycle("in_progress")]))

    def whole(self, answer: CollectedAnswer) -> bytes:
        """Return the body of the whole answer."""
        for _, choice in answer.choices:
            for delta in _deltas(choice):
                self._all(self._steps(delta))
        self._usage = answer.usage
        self._all(self._last_steps())
        self._told.clear()
        return _encode(self._telling())

    @property
    def resource(self) -> dict[str, Any]:
        """The response as it is told by now."""
        return self._telling()

    def queued(self) -> Sequence[Event]:
        """Return the beginning of a response that waits in the background."""
        self._is_queued = True
        self._resource = self._resource | {"status": "queued"}
        return self._encoded(map(self._lifecycle, ("created", "queued")))

    def events(self, delta: Delta) -> list[Event]:
        """Return the events that tell of `delta`, in order; none if it is bare."""
        return self._encoded(self._steps(delta))

    def ending(self) -> Sequence[Event]:
        """Return the end of the last item, and the whole response."""
        return (*self._encoded(self._last_steps()), DONE)

    def failed(self, error: InferenceError) -> Sequence[Event]:
        """Return the error, and the response as far as it came."""
        written = self._encoded(self._failure(error))
        if error.outcome is Outcome.CANCELLED:
            self._snapshot(status="cancelled")
        return (*written, DONE)

    async def keep(self) -> None:
        """Keep the response as it ended; one that did not was cancelled."""
        if self._keep is None or self._kept_as == self._resource["status"]:
            return
        if self._resource["status"] == "in_progress":
            self._all(self._output.closed("incomplete"))
            self._snapshot(status="cancelled")
        self._kept_as = self._resource["status"]
        await self._keep(self._telling(), tuple(self._told))

    # --- what is told, step by step

    def _steps(self, delta: Delta) -> Iterator[EventBody]:
        self._usage = delta.usage or self._usage
        if delta.finish_reason is not None:
            self._is_cut = delta.finish_reason == FinishReason.LENGTH
        yield from self._beginning()
        if not self._only_prepares:
            yield from self._output.told(delta)

    def _last_steps(self) -> Iterator[EventBody]:
        yield from self._beginning()
        self._before_end = self._sequence
        if self._is_cut and not self._only_prepares:
            details = {"reason": "max_output_tokens"}
            yield from self._end("incomplete", incomplete_details=details)
        else:
            yield from self._end("completed", completed_at=self._now())

    def _failure(self, error: InferenceError) -> Iterator[EventBody]:
        yield from self._beginning()
        if self._before_end is not None:
            # It ended well, and could not be kept: of that end nothing was told.
            self._sequence = self._before_end
            del self._told[self._sequence :]
        told = response_error(error)
        flat = {name: told[name] for name in ("code", "message", "param")}
        yield {"type": "error", "error": told, **flat}
        yield from self._end(
            "failed",
            error={"code": _code_of(error), "message": told["message"]},
            completed_at=None,
            incomplete_details=None,
        )

    def _beginning(self) -> Iterator[EventBody]:
        if self._begun:
            return
        self._begun = True
        self._resource = self._resource | {"status": "in_progress"}
        names = ("in_progress",) if self._is_queued else ("created", "in_progress")
        for name in names:
            yield self._lifecycle(name)

    def _end(self, status: str, **fields: Any) -> Iterator[EventBody]:
        item = "completed" if status == "completed" else "incomplete"
        yield from self._output.closed(item)
        self._snapshot(status=status, **fields)
        yield self._lifecycle(status)

    def _lifecycle(self, name: str) -> EventBody:
        return {"type": f"response.{name}", "response": self._telling()}

    def _telling(self) -> dict[str, Any]:
        return filled_in(self._resource, self._defaults())

    def _snapshot(self, **fields: Any) -> None:
        """Make another response of what is known by now; events hold the earlier."""
        usage = None if self._usage is None else response_usage(self._usage)
        output = self._output.bodies()
        self._resource = self._resource | {"output": output, "usage": usage} | fields

    def _all(self, steps: Iterable[EventBody]) -> list[EventBody]:
        """Number the events; hold them where they are kept."""
        numbered = []
        for step in steps:
            number = {"type": step["type"], "sequence_number": self._sequence}
            numbered.append(number | step)
            self._sequence += 1
            if self._keep is not None:
                self._told.append(numbered[-1])
        return numbered

    def _encoded(self, steps: Iterable[EventBody]) -> list[Event]:
        return [
            Event(_encode(body), body["type"].encode()) for body in self._all(steps)
        ]


def _code_of(error: InferenceError) -> str:
    """Return one of the few codes that a response may have failed with."""
    return error.code if error.code in _CODES else _CODE_OF.get(error.error_type, _CODE)


def _deltas(choice: CollectedChoice) -> Iterable[Delta]:
    """Yield a whole choice as the deltas that it may have come in."""
    yield Delta(reasoning=choice.reasoning)
    yield Delta(text=choice.text, logprobs=tuple(choice.logprobs))
    for at, call in enumerate(choice.calls):
        piece = ToolCallDelta(at, call.id, call.name, call.arguments)
        yield Delta(tool_calls=(piece,))
    yield Delta(finish_reason=choice.finish_reason)
