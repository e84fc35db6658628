"""Prefill and batch driven as the engine's loop does it, without its threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.core.requests import ChatMessage, ChatPrompt, SamplingSpec, TextPart
from inference.engine.batch.decode_batch import DecodeBatch
from inference.engine.batch.endings import take_step
from inference.engine.prefill.groups import PrefillPace
from inference.engine.prefill.queue import PrefillQueue
from inference.engine.sequences.sequence import Sequence
from inference.prompting.templates import render

if TYPE_CHECKING:
    from inference.engine.caches.prefixes import PrefixCache
    from inference.engine.loading.text_model import TextModel
    from inference.engine.row_caches.maker import CacheMaker
    from inference.engine.speculation.verifying import Speculation

TEXTS = [
    "Count to twenty.",
    "Hello",
    "What colour is this? " * 12,
    "Answer in JSON.",
    "one two three four five six seven eight nine ten",
    "Why?",
]
GREEDY = SamplingSpec(temperature=0.0, max_tokens=12)


class SmallChunks(PrefillPace):
    """A machine that always takes long for the smallest chunk."""

    def __init__(self) -> None:
        super().__init__(tokens_per_s=1.0)

    def learn(self, tokens: int, seconds: float) -> None:
        """Stay slow."""


def sequence(text: TextModel, number: int, spec: SamplingSpec = GREEDY) -> Sequence:
    """Return a sequence that is to answer one of `TEXTS`."""
    message = ChatMessage("user", (TextPart(TEXTS[number % len(TEXTS)]),))
    command = ChatPrompt((message,))
    prompt = render(text.tokenizer, command, text.formats.traits, think_start=None)
    return Sequence.of(number, prompt.tokens, spec)


class Run:
    """A batch and its prefill; `tokens` holds what each sequence has said."""

    def __init__(
        self,
        caches: CacheMaker,
        pace: PrefillPace | None = None,
        *,
        speculation: Speculation | None = None,
        prefixes: PrefixCache | None = None,
    ) -> None:
        self.batch = DecodeBatch(caches.model, speculation, prefixes=prefixes)
        self.prefill = PrefillQueue(
            caches.model,
            is_batchable=caches.is_batchable,
            pace=pace or PrefillPace(tokens_per_s=2000.0),
            make_cache=caches.make,
            can_pad=caches.can_pad,
            prefixes=prefixes,
        )
        self.tokens: dict[int, list[int]] = {}

    def add(self, *sequences: Sequence) -> None:
        """Let sequences wait for their prefill."""
        for one in sequences:
            self.prefill.append([one])

    def turn(self) -> None:
        """Prefill a chunk and decode a step."""
        self.prefill.form_groups(32 - len(self.batch) - self.prefill.rows)
        group = self.prefill.advance(target_s=0.25)
        if group is not None:
            self.batch.join(group)
        chosen = self.batch.step(may_draft=not self.prefill)
        emissions, gone = take_step(chosen, eos_ids=frozenset())
        for emission in emissions:
            assert emission.token is not None
            said = self.tokens.setdefault(emission.sequence_id, [])
            said.append(emission.token)
        self.batch.leave(gone)

    def finish(self) -> dict[int, list[int]]:
        """Go on until everybody has left."""
        while self.prefill or self.batch:
            self.turn()
        return self.tokens


def alone(text: TextModel, number: int, spec: SamplingSpec = GREEDY) -> list[int]:
    """Return what a sequence says that has no company and no draft."""
    run = Run(text.caches)
    run.add(sequence(text, number, spec))
    return run.finish()[number]
