"""The sender thread: tokens to text, text past stop strings, frames to the socket.

It owns each sequence's text state. The MLX thread hands over one list of
emissions per step; what piled up meanwhile goes out as one frame. The outbox is
bounded: when the web process does not read, decoding pauses.
"""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Any

from inference.core.frames import Report, SequenceDelta, StepReport, to_bytes
from inference.core.outcomes import FinishReason
from inference.parsing.stops import StopMatcher

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from inference.engines.sequences import Emission

OUTBOX_STEPS = 64
_REPLACEMENT = "\ufffd"


class SequenceText:
    """The visible text of one sequence, as far as it is safe to show."""

    def __init__(self, detokenizer: Any, stops: tuple[str, ...]) -> None:
        self._detokenizer = detokenizer
        self._matcher = StopMatcher(stops)
        self.tokens = 0

    @property
    def stopped(self) -> bool:
        """Whether a stop string was met."""
        return self._matcher.stopped

    def add(self, token: int) -> str:
        """Take a visible token and return the text that it completed."""
        self.tokens += 1
        self._detokenizer.add_token(token)
        return self._matcher.feed(self._detokenizer.last_segment)

    def count_invisible(self) -> None:
        """Count a token that has no text, as the end-of-sequence token."""
        self.tokens += 1

    def finish(self) -> str:
        """Return the rest; half of a character at the very end is left out."""
        try:
            self._detokenizer.finalize()
        except KeyError:
            # mlx-lm's byte table has no entry for some special tokens' characters.
            return self._matcher.flush()
        rest = self._detokenizer.last_segment.rstrip(_REPLACEMENT)
        return self._matcher.feed(rest) + self._matcher.flush()


class Sender:
    """Owns the writing half of the socket and all sequences' text."""

    def __init__(
        self, connection: socket.socket, *, on_stop: Callable[[int], None]
    ) -> None:
        self._connection = connection
        self._on_stop = on_stop
        self._outbox: queue.Queue[Report | list[Emission] | None] = queue.Queue(
            OUTBOX_STEPS
        )
        self._texts: dict[int, SequenceText] = {}
        self._texts_lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="sender", daemon=True)

    def start(self) -> None:
        """Begin sending."""
        self._thread.start()

    def open_text(self, sequence_id: int, text: SequenceText) -> None:
        """Register a sequence before its first emission."""
        with self._texts_lock:
            self._texts[sequence_id] = text

    def send(self, item: Report | list[Emission]) -> None:
        """Queue a report or a step's emissions; blocks while the outbox is full."""
        self._outbox.put(item)

    def finish(self) -> None:
        """Send what is queued and stop the thread."""
        self._outbox.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (item := self._outbox.get()) is not None:
            if isinstance(item, list):
                item = self._to_report(self._with_later_steps(item))
                if item is None:
                    continue
            self._connection.sendall(to_bytes(item))

    def _with_later_steps(self, emissions: list[Emission]) -> list[Emission]:
        """Add the steps queued right behind, up to the next plain report."""
        with self._outbox.mutex:
            queued = self._outbox.queue
            while queued and isinstance(queued[0], list):
                emissions = emissions + queued.popleft()
                self._outbox.not_full.notify()
        return emissions

    def _to_report(self, emissions: list[Emission]) -> StepReport | None:
        gained: dict[int, SequenceDelta] = {}
        for emission in emissions:
            delta = self._to_delta(emission)
            if delta is not None:
                earlier = gained.get(emission.sequence_id)
                if earlier is not None:
                    delta = earlier.followed_by(delta)
                gained[emission.sequence_id] = delta
        return StepReport(deltas=tuple(gained.values())) if gained else None

    def _to_delta(self, emission: Emission) -> SequenceDelta | None:
        sequence_id = emission.sequence_id
        with self._texts_lock:
            text = self._texts.get(sequence_id)
        if text is None:
            # Past its stop string: neither shown nor counted.
            return None
        before = text.tokens
        shown, finish = _apply(text, emission)
        if finish:
            with self._texts_lock:
                self._texts.pop(sequence_id, None)
        if text.stopped and not emission.finish:
            self._on_stop(sequence_id)
        return SequenceDelta(
            sequence_id=sequence_id,
            text=shown,
            tokens=text.tokens - before,
            finish=finish,
            completion_tokens=text.tokens,
            message=emission.message,
        )


def _apply(text: SequenceText, emission: Emission) -> tuple[str, str]:
    """Feed one emission; return the text to show and the finish reason or ''."""
    shown = ""
    if emission.token is not None:
        if emission.finish == FinishReason.STOP:
            text.count_invisible()
        else:
            shown = text.add(emission.token)
    if emission.finish and not text.stopped:
        shown += text.finish()
    return shown, str(FinishReason.STOP) if text.stopped else emission.finish
