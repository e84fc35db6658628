"""What may be seen of a request while it runs, and who is told that it does."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Protocol

import msgspec

from inference.core.outcomes import Operation, Phase, RequestKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inference.core.errors import InferenceError
    from inference.core.events import RequestRecord


class RunningRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One open request at one moment.

    `started_at` and `phase_since` are Unix seconds, so that two looks at a request
    to which nothing happened are equal; `phase_mark` is `phase_since` by the monotonic
    clock, exact enough to compare requests by. `spent_s` holds the seconds of the phases
    that are over, under the names of the record. `decode_tps` is the speed between
    the first token and the newest.
    """

    request_id: str
    endpoint: str
    operation: Operation
    kind: RequestKind
    stream: bool
    model: str
    key_name: str
    user: str
    session_id: str
    client_host: str
    user_agent: str
    started_at: float
    phase: Phase
    phase_since: float
    phase_mark: float
    spent_s: dict[str, float]
    prompt_tokens: int | None
    completion_tokens: int
    choices: int
    decode_tps: float | None

    @property
    def is_stoppable(self) -> bool:
        """Whether a model computes for it; a load, say, is not ended from here."""
        return self.operation.is_cancellable


class OpenRequest(Protocol):
    """A request as a register holds it: its trace, which stays the owner."""

    @property
    def operation(self) -> Operation:
        """What it asks for."""

    @property
    def record(self) -> RequestRecord:
        """What is known of it so far."""

    @property
    def tokens(self) -> int:
        """Tokens made so far, of all choices."""

    def snapshot(self) -> RunningRequest:
        """Return what may be seen of it at this moment."""

    def stop(self, error: InferenceError) -> bool:
        """End it with an error; false where it has ended already."""


class RunningRegister(Protocol):
    """Keeps the requests that are open. Called on the event loop, once each."""

    def opened(self, request: OpenRequest) -> None:
        """A request's first record is about to be published."""

    def closed(self, record: RequestRecord) -> None:
        """A request's last record is about to be published."""


def places_in_line(requests: Iterable[RunningRequest]) -> dict[str, int]:
    """Return the place of each waiting request in its model's line, from 1.

    Lines are first come, first served.
    """
    waiting = [each for each in requests if each.phase is Phase.QUEUED]
    ahead: Counter[str] = Counter()
    places = {}
    for request in sorted(waiting, key=lambda request: request.phase_mark):
        ahead[request.model] += 1
        places[request.request_id] = ahead[request.model]
    return places
