"""The engine of models that make vectors or scores of texts."""

from __future__ import annotations

import logging
import queue
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlx.core as mx

from inference.core.frames import (
    DropPrompt,
    EncodeInputs,
    Heartbeat,
    ModelLoaded,
    PrepareInputs,
    Purge,
    UseThreads,
)
from inference.engine.encoder.batches import EncodeJob
from inference.engine.encoder.model import EncoderModel, load_encoder
from inference.engine.encoder.preparer import InputPreparer, not_there
from inference.engine.encoder.queue import EncodeQueue
from inference.engine.hardware.blas import use_threads
from inference.engine.hardware.device import is_cpu
from inference.engine.hardware.host_memory import HostMemory, give_back
from inference.engine.prefill.groups import PrefillPace

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference.core.frames import LoadModel
    from inference.engine.answers.sender import Sender

logger = logging.getLogger(__name__)

BEAT_WHILE_WORKING_S = 0.5
BEAT_WHILE_IDLE_S = 1.0
# Whoever comes waits for one pass at most; passes as short as this lose little.
PASS_S = 0.25


class EncoderEngine:
    """Prepares inputs in a pool and encodes them together, each thread its part."""

    def __init__(
        self, encoder: EncoderModel, command: LoadModel, sender: Sender
    ) -> None:
        self.loaded = _described(encoder, command.max_rows)
        self._sender = sender
        self._preparer = InputPreparer(encoder.reader, sender)
        self._inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._queue = EncodeQueue(
            encoder,
            pace=PrefillPace(tokens_per_s=2000.0 if is_cpu() else 20_000.0),
            tell=sender.send,
        )
        self._host = HostMemory()
        self._passes = 0
        self._last_beat = 0.0

    def post(self, command: Any) -> None:
        """Take a frame of the web process; never waits."""
        match command:
            case PrepareInputs():
                self._preparer.submit(command)
            case DropPrompt():
                self._preparer.drop(command.prompt_id)
            case EncodeInputs():
                job = self._preparer.job_for(command)
                self._inbox.put(job or command)
            case Purge() | UseThreads():
                self._inbox.put(command)
            case _:
                logger.warning("Ignored a %s", type(command).__name__)

    def run(self) -> None:
        """Serve on this thread, which is the only one that touches MLX."""
        self._tell_life()
        while True:
            self.turn()

    def turn(self) -> None:
        """Read what has come, and run a pass."""
        self._read_inbox()
        if self._queue:
            self._passes += 1
            self._queue.advance(target_s=PASS_S)
        self._beat()

    def _read_inbox(self) -> None:
        if not self._queue:
            try:
                self._handle(self._inbox.get(timeout=BEAT_WHILE_IDLE_S))
            except queue.Empty:
                return
        while not self._inbox.empty():
            self._handle(self._inbox.get())

    def _handle(self, message: Any) -> None:
        match message:
            case EncodeJob():
                self._queue.append(message)
            case EncodeInputs():
                self._sender.send(not_there(message))
            case Purge():
                mx.clear_cache()
                give_back()
                self._tell_life(is_purged=True)
            case UseThreads():
                mx.synchronize()
                use_threads(message.count)

    def _beat(self) -> None:
        now = time.monotonic()
        if now - self._last_beat < BEAT_WHILE_WORKING_S:
            return
        self._last_beat = now
        self._tell_life()

    def _tell_life(self, *, is_purged: bool = False) -> None:
        self._sender.send(
            Heartbeat(
                rows=0,
                waiting=len(self._queue),
                active_bytes=mx.get_active_memory(),
                cache_bytes=mx.get_cache_memory(),
                peak_bytes=mx.get_peak_memory(),
                host_bytes=self._host.taken_bytes(),
                steps=self._passes,
                is_purged=is_purged,
            )
        )


def open_engine(
    command: LoadModel, sender: Sender, on_progress: Callable[[int, int], None]
) -> EncoderEngine:
    """Load an encoder."""
    encoder = load_encoder(Path(command.path), command.options, on_progress=on_progress)
    return EncoderEngine(encoder, command, sender)


def _described(encoder: EncoderModel, max_rows: int) -> ModelLoaded:
    return ModelLoaded(
        load_s=0.0,
        context_length=encoder.context_length,
        weight_bytes=encoder.weight_bytes,
        max_rows=max_rows,
        vocabulary=encoder.vocabulary,
        defaults={},
        capabilities=encoder.capabilities,
        encoder=encoder.traits,
    )
