"""The sender thread: tokens to text, text past stop strings, frames to the socket.

It owns each sequence's text state. The MLX thread hands over one list of
emissions per step; steps in quick succession go out as one frame. The outbox is
bounded: when the web process does not read, decoding pauses.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from typing import TYPE_CHECKING

from inference.core.frames import (
    CANCELLED,
    FAILED,
    Report,
    SequenceDelta,
    StepReport,
    to_bytes,
)
from inference.core.outcomes import FinishReason
from inference.engine.answers.texts import joined
from inference.parsing.pieces import Pieces

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from inference.engine.answers.texts import SequenceText
    from inference.engine.sequences.sequence import Emission

logger = logging.getLogger(__name__)

OUTBOX_STEPS = 64
# Steps that follow each other faster than this share a frame: nobody reads more
# than a hundred updates a second, and each costs the web process a chunk a row.
MERGE_WITHIN_S = 0.010
_NOTHING = Pieces()


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
        self._gained: dict[int, SequenceDelta] = {}
        self._rows = 0
        self._due = 0.0
        self._thread = threading.Thread(
            target=self._run_or_end, name="sender", daemon=True
        )

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

    def _run_or_end(self) -> None:
        """Without a sender the worker is mute: it had better be restarted."""
        try:
            self._run()
        except Exception:
            logger.exception("The sender failed")
            os._exit(1)

    def _run(self) -> None:
        while (item := self._next_item()) is not None:
            if item == []:
                self._flush()
            elif isinstance(item, list):
                self._gather(item)
            else:
                self._flush()
                self._connection.sendall(to_bytes(item))
        self._flush()

    def _next_item(self) -> Report | list[Emission] | None:
        """Return the next item, or an empty list when the gathered must go out."""
        if not self._gained:
            return self._outbox.get()
        try:
            return self._outbox.get(timeout=max(0.0, self._due - time.monotonic()))
        except queue.Empty:
            return []

    def _gather(self, emissions: list[Emission]) -> None:
        """Add one step; beginnings and ends do not wait for company."""
        is_urgent = False
        self._rows = len({e.sequence_id for e in emissions if e.token is not None})
        for emission in emissions:
            delta = self._to_delta(emission)
            if delta is None:
                continue
            is_urgent |= bool(delta.finish) or delta.completion_tokens <= delta.tokens
            earlier = self._gained.get(emission.sequence_id)
            self._gained[emission.sequence_id] = (
                delta if earlier is None else earlier.followed_by(delta)
            )
        if is_urgent or time.monotonic() >= self._due:
            self._flush()

    def _flush(self) -> None:
        if self._gained:
            deltas = tuple(self._gained.values())
            self._gained.clear()
            self._connection.sendall(self._to_frame(deltas))
            self._due = time.monotonic() + MERGE_WITHIN_S

    def _to_frame(self, deltas: tuple[SequenceDelta, ...]) -> bytes:
        """Encode a step; what cannot be encoded ends its own sequence only."""
        try:
            return to_bytes(StepReport(deltas=deltas, rows=self._rows))
        except UnicodeEncodeError:
            sound = tuple(self._sound(delta) for delta in deltas)
            return to_bytes(StepReport(deltas=sound, rows=self._rows))

    def _sound(self, delta: SequenceDelta) -> SequenceDelta:
        try:
            to_bytes(StepReport(deltas=(delta,)))
        except UnicodeEncodeError:
            with self._texts_lock:
                self._texts.pop(delta.sequence_id, None)
            if not delta.finish:
                self._on_stop(delta.sequence_id)
            return SequenceDelta(
                sequence_id=delta.sequence_id,
                text="",
                tokens=0,
                finish=FAILED,
                completion_tokens=delta.completion_tokens,
                message="The answer holds half a character.",
            )
        return delta

    def _to_delta(self, emission: Emission) -> SequenceDelta | None:
        sequence_id = emission.sequence_id
        with self._texts_lock:
            text = self._texts.get(sequence_id)
        if text is None:
            # Past its stop string: neither shown nor counted.
            return None
        before = text.tokens
        try:
            pieces, finish = _apply(text, emission)
        except Exception as error:  # noqa: BLE001 -- detokenizers raise anything
            return self._fail_text(emission, error)
        if finish:
            with self._texts_lock:
                self._texts.pop(sequence_id, None)
        if text.stopped and not emission.finish:
            self._on_stop(sequence_id)
        return SequenceDelta(
            sequence_id=sequence_id,
            text=pieces.text,
            tokens=text.tokens - before,
            finish=finish,
            completion_tokens=text.tokens,
            message=emission.message or (text.warning if finish else ""),
            reasoning=pieces.reasoning,
            reasoning_tokens=text.reasoning_tokens,
            tool_calls=pieces.calls,
            logprobs=text.logprobs,
            code=emission.code,
            stop=text.stop_met if finish == FinishReason.STOP else "",
        )

    def _fail_text(self, emission: Emission, error: Exception) -> SequenceDelta:
        """End one sequence whose tokens give no text; the others go on."""
        logger.error("The text of a sequence failed")
        with self._texts_lock:
            text = self._texts.pop(emission.sequence_id)
        if not emission.finish:
            self._on_stop(emission.sequence_id)
        reason = f"{type(error).__name__}: {error}"[:500]
        return SequenceDelta(
            sequence_id=emission.sequence_id,
            text="",
            tokens=0,
            finish=FAILED,
            completion_tokens=text.tokens,
            message=f"A token has no text ({reason}).",
            reasoning_tokens=text.reasoning_tokens,
        )


def _apply(text: SequenceText, emission: Emission) -> tuple[Pieces, str]:
    """Feed one emission; return what to show and the finish reason or ''."""
    shown = _NOTHING
    text.logprobs = ()
    if emission.token is not None:
        if emission.is_hidden:
            text.count_hidden()
        else:
            shown = text.add(emission.token, emission.logits, is_held=emission.is_held)
    if not emission.finish and not text.stopped:
        return shown, ""
    entries = text.logprobs
    is_cut = emission.finish != FinishReason.STOP and not text.stopped
    shown = joined(shown, text.finish(is_cut=is_cut))
    text.logprobs = entries + text.logprobs
    return shown, _finish_reason(text, emission.finish)


def _finish_reason(text: SequenceText, finish: str) -> str:
    """Return the reason a client reads: calls made are a reason of their own."""
    if finish in (FAILED, CANCELLED):
        return finish
    if text.stopped or finish == FinishReason.STOP:
        return str(FinishReason.TOOL_CALLS if text.has_calls else FinishReason.STOP)
    return finish
