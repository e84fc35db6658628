"""The requests that are open in this process: owns the list, and ends one by id."""

from __future__ import annotations

import logging
from collections import Counter, deque
from itertools import islice
from typing import TYPE_CHECKING

from inference.core.errors import CancelledByClientError, CancelledByStaffError

if TYPE_CHECKING:
    from inference.core.errors import InferenceError
    from inference.core.events import RequestRecord
    from inference.core.outcomes import Outcome
    from inference.core.running import OpenRequest, RunningRequest

logger = logging.getLogger("inference")

OPEN_MOST = 10_000
RECENT = 100


class RunningRequests:
    """Implements `RunningRegister`: two steps per request, none per token.

    Lives on the event loop. Beyond `OPEN_MOST` requests are answered like all
    others, but not listed.
    """

    def __init__(self) -> None:
        self._open: dict[str, OpenRequest] = {}
        self._tokens: Counter[str] = Counter()
        self.outcomes: Counter[Outcome] = Counter()
        self.recent: deque[RequestRecord] = deque(maxlen=RECENT)

    def __len__(self) -> int:
        return len(self._open)

    def opened(self, request: OpenRequest) -> None:
        """List a request."""
        if len(self._open) < OPEN_MOST:
            self._open[request.record.request_id] = request

    def closed(self, record: RequestRecord) -> None:
        """Take a request off the list, and count its end."""
        self._open.pop(record.request_id, None)
        self.outcomes[record.outcome] += 1
        self.recent.append(record)
        if record.completion_tokens and record.model:
            self._tokens[record.model] += record.completion_tokens

    def first(self, most: int) -> tuple[RunningRequest, ...]:
        """Return up to `most` open requests, oldest first."""
        return tuple(
            request.snapshot() for request in islice(self._open.values(), most)
        )

    def tokens_by_model(self) -> Counter[str]:
        """Return the tokens made since the start by each model, as of now."""
        made = self._tokens.copy()
        for request in self._open.values():
            if request.tokens:
                made[request.record.model] += request.tokens
        return made

    def cancel(self, request_id: str, *, by: str) -> bool:
        """End a generation, whatever it does now; false where none is open.

        Its row is written at once, with the tokens made so far; its client is told
        an error, and its seat comes free as if the client had left.
        """
        return self._stop(request_id, CancelledByStaffError(), by=by)

    def cancel_own(self, request_id: str, *, key_name: str) -> bool:
        """End a generation that a key began, as `cancel`; false for those of others."""
        request = self._open.get(request_id)
        if request is None or request.record.key_name != key_name:
            return False
        by = f"the key {key_name!r}" if key_name else "a client"
        return self._stop(request_id, CancelledByClientError(), by=by)

    def _stop(self, request_id: str, error: InferenceError, *, by: str) -> bool:
        request = self._open.get(request_id)
        if request is None or not request.operation.is_cancellable:
            return False
        if not request.stop(error):
            return False
        logger.info("%s was cancelled by %s", request_id, by)
        return True
