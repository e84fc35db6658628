"""The MLX thread: the only one that touches arrays. Owns batch and prefill."""

from __future__ import annotations

import logging
import queue
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import mlx.core as mx

from inference.core.frames import (
    CANCELLED,
    FAILED,
    CancelSequence,
    Decode,
    EncodeInputs,
    Heartbeat,
    ImagesEncoded,
    PrefixFound,
    Purge,
    SequenceDelta,
    StepReport,
    UseThreads,
)
from inference.core.outcomes import FinishReason
from inference.engine.batch.decode_batch import DecodeBatch, SampledToken
from inference.engine.batch.endings import take_step
from inference.engine.caches.prefixes import PrefixCache
from inference.engine.encoder.batches import EncodeJob
from inference.engine.encoder.preparer import not_there
from inference.engine.encoder.queue import EncodeQueue
from inference.engine.hardware.blas import use_threads
from inference.engine.hardware.device import is_cpu
from inference.engine.hardware.host_memory import HostMemory, give_back
from inference.engine.prefill.groups import PrefillPace
from inference.engine.prefill.queue import PrefillError, PrefillQueue
from inference.engine.sampling.prompt_scores import ScoreQueue
from inference.engine.sequences.sequence import (
    Emission,
    Sequence,
    SequenceGroup,
    spec_of,
)
from inference.engine.vision.encoding import ImageQueue

if TYPE_CHECKING:
    from inference.engine.answers.sender import Sender
    from inference.engine.answers.texts import AnswerTexts
    from inference.engine.encoder.queue import Forward
    from inference.engine.loading.text_model import TextModel
    from inference.engine.speculation.verifying import Speculation
    from inference.engine.worker.prompts import PromptPreparer

logger = logging.getLogger(__name__)

BEAT_WHILE_WORKING_S = 0.5
BEAT_WHILE_IDLE_S = 1.0
# Between two prefill chunks others decode a step and cancels are read. Where a
# step alone takes long (a CPU), a chunk as short as a step would be mostly loss.
CHUNK_S = 0.25
STEPS_PER_CHUNK = 3
CHUNK_ALONE_S = 0.8
# Rows that decode wait for one image between two steps; for several that are quick.
IMAGES_S = 0.05
GATHER_SHARE = 0.05
GATHER_MAX_S = 0.03


@dataclass(frozen=True, slots=True)
class StopHit:
    """The sender met a stop string: the sequence may leave the batch."""

    sequence_id: int


Message = (
    Decode | CancelSequence | StopHit | Purge | UseThreads | EncodeJob | EncodeInputs
)


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """What a loop may use.

    At most `max_rows` rows run together. A row that decodes alone is sped up by
    `speculation` while that pays. Up to `prefix_bytes` are kept of what was computed, for
    prompts that begin alike. `encoder` makes embeddings, where they are asked for.
    """

    max_rows: int
    speculation: Speculation | None = None
    prefix_bytes: int = 0
    encoder: Forward | None = None


class EngineLoop:
    """Continuous batching over one model; `run` never returns while it serves.

    It owns everything that is computed, and what is kept of it.
    """

    def __init__(
        self,
        text: TextModel,
        sender: Sender,
        preparer: PromptPreparer,
        answers: AnswerTexts,
        config: EngineConfig,
    ) -> None:
        self._text = text
        self._sender = sender
        self._preparer = preparer
        self._answers = answers
        self._max_rows = config.max_rows
        self._inbox: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._sequences: dict[int, Sequence] = {}
        self._prefixes = PrefixCache(config.prefix_bytes)
        self._batch = DecodeBatch(
            text.model, config.speculation, prefixes=self._prefixes
        )
        self._prefill = PrefillQueue(
            text.model,
            is_batchable=text.is_batchable,
            pace=PrefillPace.of_this_machine(),
            make_cache=text.caches.make,
            can_pad=text.caches.can_pad,
            prefixes=self._prefixes,
        )
        self._images = None if text.vision is None else ImageQueue(text.vision.encoder)
        self._scores = ScoreQueue(
            text.model, make_cache=text.caches.make, bytes_of=text.words.bytes_of
        )
        self._encodes = EncodeQueue(
            config.encoder,
            pace=PrefillPace(tokens_per_s=200.0 if is_cpu() else 4000.0),
            tell=sender.send,
        )
        self._host = HostMemory()
        self._step_s = 0.0
        self._last_beat = 0.0

    def post(self, message: Message) -> None:
        """Leave a message for the MLX thread; any thread may."""
        self._inbox.put(message)

    def run(self) -> None:
        """Serve until the process ends."""
        self._tell_life()
        while True:
            self.turn()

    def turn(self) -> None:
        """Read what has come, encode images, prefill a chunk, decode a step."""
        self._read_inbox()
        self._advance_images()
        self._advance_scores()
        if self._encodes:
            self._encodes.advance(target_s=self._chunk_s())
        self._gather_arrivals()
        self._begin_prefill()
        self._advance_prefill()
        self._advance_batch()
        self._beat()

    # --- inbox

    def _read_inbox(self) -> None:
        if not (self._sequences or self._encodes):
            try:
                self._handle(self._inbox.get(timeout=BEAT_WHILE_IDLE_S))
            except queue.Empty:
                return
        while not self._inbox.empty():
            self._handle(self._inbox.get())

    def _handle(self, message: Message) -> None:
        match message:
            case Decode():
                self._open_or_fail(message)
            case CancelSequence():
                self._remove(message.sequence_id, CANCELLED)
            case StopHit():
                # The sender has told the web already; only the row is left.
                self._remove(message.sequence_id, "")
            case Purge():
                if self._text.vision is not None:
                    self._text.vision.encoder.features.clear()
                self._prefixes.clear()
                mx.clear_cache()
                give_back()
                self._tell_life(is_purged=True)
            case EncodeJob():
                self._encodes.append(message)
            case EncodeInputs():
                self._sender.send(not_there(message))
            case UseThreads():
                # Not in the middle of a product of the step that is under way.
                mx.synchronize()
                use_threads(message.count)

    def _open_or_fail(self, command: Decode) -> None:
        try:
            self._open(command)
        except Exception as error:
            logger.exception("A generation could not begin")
            for sequence_id in command.sequence_ids:
                self._sequences.pop(sequence_id, None)
                self._sender.open_text(sequence_id, self._answers.open_bare())
                self._sender.send([Emission(sequence_id, None, FAILED, str(error))])

    def _open(self, command: Decode) -> None:
        prompt = self._preparer.take(command.prompt_id)
        if prompt is None:
            message = "The prepared prompt is no longer there."
            for sequence_id in command.sequence_ids:
                self._sender.open_text(sequence_id, self._answers.open_bare())
                self._sender.send([Emission(sequence_id, None, FAILED, message)])
            return
        sequence_group = []
        for place, sequence_id in enumerate(command.sequence_ids):
            spec = spec_of(command.sampling, place)
            text = self._answers.open(prompt, spec)
            self._sender.open_text(sequence_id, text)
            sequence = Sequence.of(
                sequence_id,
                prompt.tokens,
                spec,
                eos_ids=self._text.eos_ids,
                guide=prompt.plan.open(prompt.thinking_budget(spec)),
                leads=place == 0,
            )
            self._sequences[sequence_id] = sequence
            sequence_group.append(sequence)
        if command.prompt_logprobs is not None:
            self._scores.append(sequence_group, top=command.prompt_logprobs)
        elif prompt.pictures is None or self._images is None:
            self._answer(sequence_group)
        else:
            self._images.append(sequence_group, prompt.pictures)

    def _answer(self, sequence_group: SequenceGroup) -> None:
        """Have a prompt wait for its prefill; where no token is asked for, end."""
        if sequence_group and sequence_group[0].max_tokens:
            self._prefill.append(sequence_group)
            return
        for sequence in sequence_group:
            self._remove(sequence.sequence_id, FinishReason.LENGTH)

    def _remove(self, sequence_id: int, finish: str) -> None:
        sequence = self._sequences.pop(sequence_id, None)
        if sequence is None:
            return
        sequence.has_left = True
        if self._images is not None:
            self._images.forget_those_who_left()
        self._prefill.forget_those_who_left()
        self._batch.leave({sequence})
        if finish:
            self._sender.send([Emission(sequence_id, None, finish)])

    # --- work

    def _gather_arrivals(self) -> None:
        """Let requests that arrive together be prefilled together.

        Only while nobody decodes, and for a twentieth of what the prefill takes;
        a little longer while the preparer still prepares prompts.
        """
        if self._batch or not self._prefill.waiting_s:
            return
        began = time.monotonic()
        while (waited_s := time.monotonic() - began) < GATHER_MAX_S:
            patience_s = min(GATHER_SHARE * self._prefill.waiting_s, GATHER_MAX_S)
            if waited_s >= patience_s and not self._preparer.preparing:
                return
            try:
                self._handle(self._inbox.get(timeout=patience_s / 4))
            except queue.Empty:
                continue

    def _advance_scores(self) -> None:
        """Score a chunk of a prompt; those that are done are told, and go on."""
        scored = self._scores.advance()
        if scored is None:
            return
        group = [s for s in scored.sequence_group if not s.has_left]
        if scored.error is not None:
            logger.error("A prompt could not be scored", exc_info=scored.error)
            self._fail(group, scored.error)
            return
        first = scored.sequence_group[0].sequence_id
        delta = SequenceDelta(first, "", 0, prompt_logprobs=tuple(scored.tokens))
        self._sender.send(StepReport((delta,)))
        self._answer(group)

    def _advance_images(self) -> None:
        """Have prompts whose images are encoded wait for their prefill."""
        if self._images is None:
            return
        target_s = IMAGES_S if self._batch else CHUNK_ALONE_S
        for job in self._images.advance(target_s=target_s):
            if job.error is not None:
                logger.error("Images could not be encoded", exc_info=job.error)
                self._fail(job.sequence_group, job.error)
                continue
            first = job.sequence_group[0].sequence_id
            self._sender.send(ImagesEncoded(first, job.cached, job.encode_s))
            self._prefill.append(job.sequence_group)

    def _begin_prefill(self) -> None:
        free_rows = self._max_rows - len(self._batch) - self._prefill.rows
        for group in self._prefill.form_groups(free_rows):
            for sequence_group, match in group.begun:
                self._sender.send(
                    PrefixFound(
                        sequence_group[0].sequence_id, match.held, match.diverged_at
                    )
                )

    def _advance_prefill(self) -> None:
        try:
            group = self._prefill.advance(target_s=self._chunk_s())
        except PrefillError as error:
            logger.exception("Prefill failed")
            self._fail(error.group.sequences, error)
            return
        if group is None:
            return
        try:
            self._batch.join(group)
        except Exception as error:
            # The caches of the running rows may be half extended: all of them end.
            logger.exception("A group could not join the batch")
            self._fail([*group.sequences, *self._batch.clear()], error)

    def _chunk_s(self) -> float:
        """Return how long the next chunk may take: rows that decode wait for it."""
        if not self._batch:
            return CHUNK_ALONE_S
        return max(CHUNK_S, STEPS_PER_CHUNK * self._step_s)

    def _advance_batch(self) -> None:
        began = time.monotonic()
        try:
            chosen = self._batch.step(may_draft=not self._prefill)
        except Exception as error:
            logger.exception("A decode step failed")
            self._fail(self._batch.clear(), error)
            return
        if chosen:
            self._step_s += 0.2 * (time.monotonic() - began - self._step_s)
            self._emit(chosen)

    def _emit(self, chosen: list[SampledToken]) -> None:
        emissions, gone = take_step(chosen, eos_ids=self._text.eos_ids)
        for sequence in gone:
            self._sequences.pop(sequence.sequence_id, None)
        self._sender.send(emissions)
        if gone:
            self._batch.leave(gone)

    def _fail(self, sequences: list[Sequence], error: Exception) -> None:
        for sequence in sequences:
            if sequence.has_left:
                continue
            sequence.has_left = True
            self._sequences.pop(sequence.sequence_id, None)
            self._sender.send(
                [Emission(sequence.sequence_id, None, FAILED, str(error)[:500])]
            )

    def _beat(self) -> None:
        now = time.monotonic()
        if now - self._last_beat < BEAT_WHILE_WORKING_S:
            return
        self._last_beat = now
        self._tell_life()

    def _tell_life(self, *, is_purged: bool = False) -> None:
        self._sender.send(
            Heartbeat(
                rows=len(self._batch),
                waiting=len(self._prefill)
                + len(self._images or ())
                + len(self._scores)
                + len(self._encodes),
                active_bytes=mx.get_active_memory(),
                cache_bytes=mx.get_cache_memory(),
                peak_bytes=mx.get_peak_memory(),
                host_bytes=self._host.taken_bytes(),
                steps=self._batch.steps,
                is_purged=is_purged,
            )
        )
