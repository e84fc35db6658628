"""An admitted request's answer while it is decoded: what may be read of it by now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from inference.core.errors import InferenceError
    from inference.core.requests import Delta
    from inference.core.trace import RequestTrace
    from inference.runtime.deltas import ChoiceCounter
    from inference.runtime.schema_check import SchemaCheck
    from inference.runtime.streams import TokenStream


class AdmittedAnswer:
    """One reader's view of a request's sequences; tells the trace of every delta."""

    def __init__(
        self,
        stream: TokenStream,
        counter: ChoiceCounter,
        trace: RequestTrace,
        *,
        sent_names: dict[str, str],
        check: SchemaCheck | None = None,
    ) -> None:
        self._stream = stream
        self._counter = counter
        self._trace = trace
        self._check = check
        self._sent_names = sent_names
        self._failure: InferenceError | None = None

    @property
    def is_ended(self) -> bool:
        """Whether the last delta was taken."""
        return self._counter.all_ended

    async def take(self, patience_s: float | None = None) -> list[Delta]:
        """Return what became readable; empty after `patience_s` without anything.

        What came before a bad end is handed out first.

        Raises:
            InferenceError: the answer ended in no way a client asked for.
        """
        if self._failure is not None:
            raise self._failure
        stream, counter = self._stream, self._counter
        gained = await stream.take(patience_s)
        counter.cached_tokens = stream.cached_tokens
        deltas = []
        for each in gained:
            delta = counter.delta(each, stream.choice_of(each.sequence_id))
            if delta is not None:
                delta = self._as_sent(delta)
                self._trace.arrived(delta, each.tokens)
                deltas.append(delta)
        self._failure = counter.failure
        if self._failure is not None and not deltas:
            raise self._failure
        if self._check is not None:
            for delta in deltas:
                self._check.add(delta)
            if self.is_ended and self._failure is None:
                await self._check.tell(self._trace)
        return deltas

    def _as_sent(self, delta: Delta) -> Delta:
        """Return a delta whose calls name functions as the client does."""
        if not (self._sent_names and delta.tool_calls):
            return delta
        calls = tuple(
            msgspec.structs.replace(
                call, name=self._sent_names.get(call.name, call.name)
            )
            for call in delta.tool_calls
        )
        return msgspec.structs.replace(delta, tool_calls=calls)
