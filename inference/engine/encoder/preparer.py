"""Tokens of inputs, made away from the MLX thread: owns what is not yet encoded."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from inference.core.errors import InferenceError
from inference.core.frames import (
    EncodeInputs,
    InputsEncoded,
    PrepareRefused,
    PromptPrepared,
)
from inference.engine.encoder.batches import EncodeJob
from inference.engine.text.encoder_process import unreadable
from inference.prompting.encoder import gave_up

if TYPE_CHECKING:
    from inference.core.frames import PrepareInputs
    from inference.engine.answers.sender import Sender
    from inference.engine.encoder.inputs import InputReader

logger = logging.getLogger(__name__)
THREADS = 2


class InputPreparer:
    """Keeps each request's job from its preparation until it is dropped."""

    def __init__(self, reader: InputReader, sender: Sender) -> None:
        self._reader = reader
        self._sender = sender
        self._wanted: set[int] = set()
        self._jobs: dict[int, EncodeJob] = {}
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="inputs")

    def submit(self, command: PrepareInputs) -> None:
        """Make tokens in the pool, and tell how many there are."""
        with self._lock:
            self._wanted.add(command.prompt_id)
        self._pool.submit(self._prepare, command)

    def job_for(self, command: EncodeInputs) -> EncodeJob | None:
        """Return the prepared inputs to encode; `None`: they were dropped."""
        with self._lock:
            job = self._jobs.get(command.prompt_id)
        if job is not None:
            job.dimensions = command.dimensions
            job.compares = command.compares
        return job

    def drop(self, prompt_id: int) -> None:
        """Forget inputs, whatever is done with them now."""
        with self._lock:
            self._wanted.discard(prompt_id)
            job = self._jobs.pop(prompt_id, None)
        if job is not None:
            job.is_dropped = True

    def _prepare(self, command: PrepareInputs) -> None:
        if command.prompt_id not in self._wanted:
            return
        began = time.monotonic()
        try:
            inputs, cut = self._reader.read(command.inputs, command.truncate_to)
        except InferenceError as error:
            self._refuse(command.prompt_id, error)
        except BaseException as error:  # noqa: BLE001 -- also the tokenizer's panic
            self._refuse(command.prompt_id, _told(error))
        else:
            self._keep(EncodeJob(command.prompt_id, inputs), cut, began)

    def _keep(self, job: EncodeJob, cut: int, began: float) -> None:
        with self._lock:
            if job.prompt_id not in self._wanted:
                return
            self._wanted.discard(job.prompt_id)
            self._jobs[job.prompt_id] = job
        prepared = PromptPrepared(
            prompt_id=job.prompt_id,
            tokens=sum(len(each.tokens) for each in job.inputs),
            prepare_s=time.monotonic() - began,
            warnings=(f"inputs cut to fit: {cut}",) if cut else (),
        )
        self._sender.send(prepared)

    def _refuse(self, prompt_id: int, error: InferenceError) -> None:
        self.drop(prompt_id)
        refused = PrepareRefused(
            prompt_id=prompt_id,
            code=error.code,
            message=error.message,
            param=error.param,
            figures=dict(error.figures),
        )
        self._sender.send(refused)


def not_there(command: EncodeInputs) -> InputsEncoded:
    """Return the answer to inputs that were dropped before they were to be encoded."""
    why = "The prepared inputs are no longer there."
    return InputsEncoded(command.prompt_id, message=why)


def _told(error: BaseException) -> InferenceError:
    """Return what a client reads of a failure."""
    if gave_up(error):
        return unreadable(f"the model's tokenizer gave up on it ({error})")
    logger.error("Inputs could not be prepared", exc_info=error)
    why = str(error) or type(error).__name__
    return InferenceError(f"The inputs could not be prepared: {why}")
