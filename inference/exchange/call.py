"""One HTTP request on its way through a view: owns its trace's beginning."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from inference.core.trace import Client
from inference.runtime.unauthenticated import is_unauthenticated

if TYPE_CHECKING:
    from django.http import HttpRequest

    from inference.core.errors import InferenceError
    from inference.core.outcomes import Operation
    from inference.core.trace import RequestTrace
    from inference.runtime.app import App

# Reading leaves no row; what asks for work or changes something does.
UNRECORDED_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(slots=True)
class Call:
    """What a view gets instead of the bare request; `body` once it was read.

    `body_bytes` is how large the body was as it came. `is_handed_over` says that the
    request goes on after its reply, and ends its own trace.
    """

    request: HttpRequest
    app: App
    trace: RequestTrace
    body: dict[str, Any] = field(default_factory=dict)
    body_bytes: int = 0
    is_handed_over: bool = False

    @classmethod
    def begin(
        cls, request: HttpRequest, app: App, *, path: str, operation: Operation
    ) -> Call:
        """Begin the request's trace under the endpoint's `path`."""
        trace = app.new_trace(
            endpoint=path,
            operation=operation,
            client=Client.of(
                request.headers,
                request.META.get("REMOTE_ADDR"),
                limit=app.limits.header_chars,
            ),
            connection=getattr(request, "scope", {}).get("mlxsite.connection"),
        )
        return cls(request=request, app=app, trace=trace)

    @property
    def now(self) -> int:
        """The time of day in Unix seconds, as answers tell it."""
        return int(self.app.clock.wall())

    def open(self) -> None:
        """Publish the first record, where this request leaves a row at all."""
        if self.request.method not in UNRECORDED_METHODS:
            self.trace.open()

    def hand_over(self) -> None:
        """Leave the trace to what answers in the background; it must be open."""
        assert self.trace.is_open
        self.is_handed_over = True

    def fail(self, error: InferenceError) -> None:
        """End the story with an error, also one from before it was opened.

        Of callers that nobody let in, only so many leave a row.
        """
        if not self.trace.is_open and self._may_leave_row(error):
            self.open()
        self.trace.fail(error)

    def _may_leave_row(self, error: InferenceError) -> bool:
        if self.request.method in UNRECORDED_METHODS:
            return False
        host = self.trace.record.client_host
        return not is_unauthenticated(error) or self.app.unauthenticated.may_leave_row(
            host
        )

    def cancel(self) -> None:
        """End the story: the client has gone."""
        self.open()
        self.trace.cancel()
