"""What a draft model gains: one row's tokens per second with it and without.

usage: python -m tests.bench.speculation MODEL_DIR DRAFT_DIR [ROUNDS]

Drives the running batch itself, without a server. Rounds alternate, so that a
noisy machine disturbs both sides alike. What was learned about the draft is kept
between rounds, as a worker keeps it; the first rounds pay for the learning.
`tests/models/make_drafts.py` writes models to try it with.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path
from typing import NamedTuple

from inference.core.requests import ChatMessage, ChatPrompt, SamplingSpec, TextPart
from inference.engine.batch.endings import take_step
from inference.engine.loading.text_model import TextModel, load_text_model
from inference.engine.sequences.sequence import Sequence
from inference.engine.speculation.choice import speculation_for
from inference.engine.speculation.draft_model import load_draft
from inference.prompting.templates import render
from tests.engine.driving import Run

TOKENS = 128
QUESTIONS = (
    "Write a short story about a dog.",
    "Explain how rain forms.",
    "List twenty animals, one on each line.",
    "Write a Python function that adds two numbers, with a docstring.",
)
TEMPERATURES = (0.0, 0.7)


class Round(NamedTuple):
    """One answer: its tokens, and what they took."""

    tokens: list[int]
    seconds: float
    steps: int

    @property
    def tokens_per_s(self) -> float:
        """Tokens decoded a second, prefill apart."""
        return len(self.tokens) / self.seconds


def decode(run: Run, sequence: Sequence) -> Round:
    """Answer alone; the clock starts with the first token."""
    run.add(sequence)
    while not sequence.history:
        run.turn()
    steps, first = run.batch.steps, len(sequence.history)
    began = time.perf_counter()
    while run.batch:
        _, gone = take_step(run.batch.step(), eos_ids=frozenset())
        run.batch.leave(gone)
    seconds = time.perf_counter() - began
    return Round(sequence.history[first:], seconds, run.batch.steps - steps)


def sequences_of(text: TextModel, number: int, temperature: float) -> list[Sequence]:
    """Return one question twice: to be answered with and without the draft."""
    message = ChatMessage("user", (TextPart(QUESTIONS[number % len(QUESTIONS)]),))
    prompt = render(
        text.tokenizer,
        ChatPrompt((message,)),
        text.formats.traits,
        think_start=None,
    )
    spec = SamplingSpec(temperature=temperature, seed=number, max_tokens=TOKENS)
    return [Sequence.of(number, prompt.tokens, spec) for _ in range(2)]


def main(model: Path, draft: Path, rounds: int) -> None:
    """Measure and print each round, and the medians."""
    text = load_text_model(model)
    plain, drafting = (
        Run(text.caches),
        Run(text.caches, speculation=speculation_for(text, load_draft(draft, text))),
    )
    for temperature in TEMPERATURES:
        ratios = []
        for number in range(rounds):
            asked = sequences_of(text, number, temperature)
            sides = [(plain, asked[0]), (drafting, asked[1])]
            order = sides if number % 2 else sides[::-1]
            done = {id(run): decode(run, one) for run, one in order}
            without, with_it = done[id(plain)], done[id(drafting)]
            ratios.append(with_it.tokens_per_s / without.tokens_per_s)
            is_same = with_it.tokens[-64:] == without.tokens[-64:]
            sys.stdout.write(
                f"temperature {temperature}, round {number + 1}: "
                f"{without.tokens_per_s:.1f} tokens/s without, "
                f"{with_it.tokens_per_s:.1f} with, ratio {ratios[-1]:.2f}, "
                f"{len(with_it.tokens) / with_it.steps:.2f} tokens a step, "
                f"{'the same text' if is_same else 'OTHER TEXT'}\n"
            )
            sys.stdout.flush()
        sys.stdout.write(
            f"temperature {temperature}: median ratio "
            f"{statistics.median(ratios):.2f} of {rounds}\n"
        )


if __name__ == "__main__":
    main(
        Path(sys.argv[1]),
        Path(sys.argv[2]),
        int(sys.argv[3]) if len(sys.argv) > 3 else 4,
    )
