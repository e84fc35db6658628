"""What prompt lookup gains a row that decodes alone, and what it costs where it is vain.

`python -m tests.bench.lookup MODEL`: the real model computes, and a script decides what
it says: a file that stands in the prompt with every fifth line changed, or lines of
which none was there. Pairs with and without lookup, in turn, in one process.
"""

from __future__ import annotations

import os
import random
import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlx.core as mx

from inference.core.requests import SamplingSpec
from inference.engine.loading.text_model import TextModel, load_text_model
from inference.engine.sequences.sequence import Sequence
from inference.engine.speculation.lookup import PromptLookup
from inference.runtime.environment import worker_environment
from tests.engine.driving import Run
from tests.fast_blas import openblas_for_tests

PAIRS = 5
LINES = 12
TOKENS_A_LINE = 10


class Scripted:
    """The model, made to say `script` behind a prompt of `prompt` tokens."""

    def __init__(self, model: Any, script: list[int], prompt: int) -> None:
        self._model, self._prompt = model, prompt
        self._script = [*script, *script[:64]]

    def __call__(self, tokens: mx.array, cache: Any = None) -> mx.array:
        begin = cache[0].offset + 1 - self._prompt
        logits = self._model(tokens, cache=cache)
        count = tokens.shape[1]
        said = mx.array([self._script[max(begin + at, 0)] for at in range(count)])
        return mx.where(
            mx.arange(logits.shape[-1]) == said[None, :, None], 99.0, logits
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


def measure(
    text: TextModel, prompt: list[int], script: list[int], *, looks_up: bool
) -> tuple[float, float]:
    """Return how long the answer took, and how many tokens a pass gave."""
    model = Scripted(text.model, script, len(prompt))
    lookup = PromptLookup(model, vocabulary=text.vocabulary, reach=10**6)
    run = Run(
        replace(text.caches, model=model), speculation=lookup if looks_up else None
    )
    spec = SamplingSpec(temperature=0.0, max_tokens=len(script))
    run.add(Sequence.of(1, prompt, spec))
    while 1 not in run.tokens:
        run.turn()
    began, steps = time.perf_counter(), run.batch.steps
    run.finish()
    assert run.tokens[1] == script
    took = time.perf_counter() - began
    return took, len(script) / (run.batch.steps - steps)


def main() -> None:
    """Print medians and ranges of the pairs."""
    text = load_text_model(Path(sys.argv[1]))
    rng = random.Random(1)
    tokens = list(range(1000, 1000 + LINES * TOKENS_A_LINE * 3))
    rng.shuffle(tokens)
    file = tokens[: LINES * TOKENS_A_LINE]
    rewritten = list(file)
    for line in range(0, LINES, 5):
        begin = line * TOKENS_A_LINE
        rewritten[begin : begin + TOKENS_A_LINE] = tokens[-TOKENS_A_LINE:]
        tokens = tokens[:-TOKENS_A_LINE]
    novel = tokens[len(file) : 2 * len(file)]
    for name, script in (("a file rewritten", rewritten), ("nothing repeats", novel)):
        gains, together = [], []
        for pair in range(PAIRS):
            times = {}
            for looks_up in (True, False) if pair % 2 else (False, True):
                times[looks_up], share = measure(text, file, script, looks_up=looks_up)
                if looks_up:
                    together.append(share)
            gains.append(times[False] / times[True])
        sys.stdout.write(
            f"{name}: {statistics.median(gains):.2f} times as fast "
            f"({min(gains):.2f}-{max(gains):.2f}), "
            f"{statistics.median(together):.1f} tokens a pass\n"
        )


if __name__ == "__main__":
    wanted = worker_environment(openblas_for_tests())
    if wanted.get("LD_PRELOAD", "") != os.environ.get("LD_PRELOAD", ""):
        # It computes in this process, with what workers preload.
        argv = [sys.executable, "-m", "tests.bench.lookup", *sys.argv[1:]]
        os.execve(sys.executable, argv, wanted)
    main()
