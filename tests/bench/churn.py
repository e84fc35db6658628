"""Rows that come and go, beside the bare engine: requests through so many seats.

usage: python -m tests.bench.churn MODEL_DIR [SEATS [REQUESTS [TOKENS [ROUNDS]]]]

A closed loop without a server: the product's prefill queue and batch in turns with
mlx-lm's `BatchGenerator`, on the same prompts and lengths. It tells tokens a second by
the wall, and a microsecond figure of the process's own CPU time for each token, which
a busy machine disturbs less.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mlx_lm.generate import BatchGenerator

from inference.core.requests import SamplingSpec
from inference.engine.batch.decode_batch import DecodeBatch
from inference.engine.batch.endings import take_step
from inference.engine.caches.prefixes import PrefixCache
from inference.engine.loading.text_model import TextModel, load_text_model
from inference.engine.prefill.groups import PrefillPace
from inference.engine.prefill.queue import PrefillQueue
from inference.engine.sequences.sequence import Sequence

if TYPE_CHECKING:
    from collections.abc import Iterator

KEPT_BYTES = 8 << 30


class Load(NamedTuple):
    """What both sides have to do: a prompt and a length for each request."""

    seats: int
    prompts: list[list[int]]
    lengths: list[int]

    @property
    def tokens(self) -> int:
        return sum(self.lengths)


class Timing(NamedTuple):
    tokens_per_s: float
    cpu_us: float


def load_of(text: TextModel, seats: int, requests: int, mean: int) -> Load:
    chance = random.Random(1)
    lengths = [chance.randint(mean // 2, mean * 3 // 2) for _ in range(requests)]
    prompts = [
        list(
            text.tokenizer.apply_chat_template(
                [
                    {
                        "role": "user",
                        "content": f"Request {number}: write an essay about rivers. "
                        + "Mention water. " * chance.randint(0, 20),
                    }
                ],
                add_generation_prompt=True,
            )
        )
        for number in range(requests)
    ]
    return Load(seats, prompts, lengths)


def run_bare(text: TextModel, load: Load) -> Iterator[int]:
    """Answer all with mlx-lm's own generator; yield how many tokens each step gave."""
    bare = BatchGenerator(
        text.model,
        max_tokens=max(load.lengths),
        stop_tokens=[],
        completion_batch_size=load.seats,
        prefill_batch_size=8,
    )
    waiting = iter(zip(load.prompts, load.lengths, strict=True))

    def add(count: int) -> int:
        added = list(islice(waiting, count))
        for prompt, length in added:
            bare.insert([prompt], max_tokens=[length])
        return len(added)

    live = add(load.seats)
    while live:
        found = bare.next()[1]
        ended = sum(bool(one.finish_reason) for one in found)
        live += add(ended) - ended
        yield len(found)
    bare.close()


def run_ours(text: TextModel, load: Load) -> Iterator[int]:
    """Answer all with the product's batch; yield how many tokens each step gave."""
    prefixes = PrefixCache(KEPT_BYTES)
    batch = DecodeBatch(text.model, prefixes=prefixes)
    prefill = PrefillQueue(
        text.model,
        is_batchable=True,
        pace=PrefillPace.of_this_machine(),
        make_cache=text.caches.make,
        can_pad=text.caches.can_pad,
        prefixes=prefixes,
    )
    waiting = iter(enumerate(zip(load.prompts, load.lengths, strict=True)))

    def add(count: int) -> int:
        added = list(islice(waiting, count))
        for number, (prompt, length) in added:
            spec = SamplingSpec(max_tokens=length, ignore_eos=True, temperature=0.0)
            prefill.append([Sequence.of(number, prompt, spec)])
        return len(added)

    live = add(load.seats)
    while live:
        prefill.form_groups(load.seats - len(batch) - prefill.rows)
        group = prefill.advance(target_s=0.25 if len(batch) else 0.8)
        if group is not None:
            batch.join(group)
        chosen = batch.step()
        _, gone = take_step(chosen, eos_ids=frozenset())
        batch.leave(gone)
        live += add(len(gone)) - len(gone)
        yield len(chosen)


def timed(steps: Iterator[int], load: Load) -> Timing:
    began, cpu_began = time.perf_counter(), time.process_time()
    tokens = sum(steps)
    assert tokens == load.tokens, (tokens, load.tokens)
    took_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu_began
    return Timing(tokens / took_s, 1e6 * cpu_s / tokens)


def main() -> None:
    seats, requests, mean, rounds = [
        *map(int, sys.argv[2:]),
        *(8, 32, 64, 3)[len(sys.argv) - 2 :],
    ]
    text = load_text_model(Path(sys.argv[1]))
    load = load_of(text, seats, requests, mean)
    ratios, cpu_ratios = [], []
    for number in range(rounds):
        bare = timed(run_bare(text, load), load)
        ours = timed(run_ours(text, load), load)
        ratios.append(ours.tokens_per_s / bare.tokens_per_s)
        cpu_ratios.append(ours.cpu_us / bare.cpu_us)
        sys.stdout.write(
            f"round {number}, {seats} seats: bare {bare.tokens_per_s:.0f} tok/s "
            f"({bare.cpu_us:.0f} us of CPU a token), ours {ours.tokens_per_s:.0f} "
            f"({ours.cpu_us:.0f})\n"
        )
        sys.stdout.flush()
    sys.stdout.write(
        f"ours / bare: tokens a second {statistics.median(ratios):.2f} "
        f"({min(ratios):.2f} - {max(ratios):.2f}), CPU a token "
        f"{statistics.median(cpu_ratios):.2f} "
        f"({min(cpu_ratios):.2f} - {max(cpu_ratios):.2f})\n"
    )


if __name__ == "__main__":
    main()
