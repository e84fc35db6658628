"""A benchmark: levels of concurrency, in rounds, against one server or two in turns.

Machines are noisy. Two servers are measured a moment after each other, with the same
prompts, and which one is first changes with every pair; their ratio counts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from inference.client.figures import LevelFigures, LevelRatios, Pair
from inference.client.load import LoadResult, closed_loop
from inference.client.prompts import Length, Messages, words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WARM_TOKENS = 8
FEW_WORDS, MANY_WORDS = 16, 80


class BenchError(RuntimeError):
    """A server cannot be measured; the message is one line."""


@dataclass(frozen=True, slots=True)
class Target:
    """One server under measurement; `base_url` ends in /v1."""

    label: str
    base_url: str
    model: str
    api_key: str = ""


@dataclass(frozen=True, slots=True)
class BenchPlan:
    """What is to be measured. `requests` a round; `None`: by the level."""

    levels: tuple[int, ...]
    requests: int | None
    rounds: int
    max_tokens: int
    timeout_s: float

    def requests_at(self, level: int) -> int:
        """Return how many requests a round has, per server."""
        return self.requests or max(8, 2 * level)

    def requests_in_all(self, servers: int) -> int:
        """Return how many answers are counted."""
        once = sum(map(self.requests_at, self.levels))
        return once * self.rounds * servers


@dataclass(frozen=True, slots=True)
class Step:
    """What is being done now."""

    words: str
    target: Target


@dataclass(slots=True)
class Level:
    """The rounds of one level so far: a result per server and round."""

    concurrency: int
    results: tuple[list[LoadResult], ...]
    pairs: list[Pair] = field(default_factory=list)

    def figures(self) -> tuple[LevelFigures, ...]:
        """Return each server's figures."""
        return tuple(
            LevelFigures.of(self.concurrency, results) for results in self.results
        )

    def ratios(self) -> LevelRatios:
        """Return what the pairs come to."""
        return LevelRatios.of(self.concurrency, self.pairs)


@dataclass(slots=True)
class Bench:
    """Runs a plan. `levels` holds what is measured, also after an interruption."""

    plan: BenchPlan
    targets: tuple[Target, ...]
    prompts: Iterator[Messages]
    on_step: Callable[[Step], None] = lambda step: None
    on_end: Callable[[], None] = lambda: None
    on_round: Callable[[Level], None] = lambda level: None
    levels: list[Level] = field(default_factory=list)

    async def run(self) -> None:
        """Measure every level.

        Raises:
            BenchError: a server does not answer while it is warmed up.
        """
        for concurrency in self.plan.levels:
            for target in self.targets:
                await self._warm_up(target, concurrency)
            level = Level(concurrency, tuple([] for _ in self.targets))
            self.levels.append(level)
            for number in range(1, self.plan.rounds + 1):
                await self._round(level, number)
                self.on_round(level)

    async def _warm_up(self, target: Target, concurrency: int) -> None:
        """Have the model loaded, and its kernels made for this many rows."""
        self.on_step(Step(f"{concurrency} at a time, warming up", target))
        prompts = islice(self.prompts, concurrency)
        bodies = [self._body(target, said, WARM_TOKENS) for said in prompts]
        result = await self._load(target, bodies, concurrency)
        if not result.answers:
            raise BenchError(f"{target.label}: {result.errors[0]}")

    async def _round(self, level: Level, number: int) -> None:
        prompts = list(islice(self.prompts, self.plan.requests_at(level.concurrency)))
        order = list(range(len(self.targets)))
        if number % 2 == 0:
            order.reverse()
        found: dict[int, LoadResult] = {}
        for place in order:
            target = self.targets[place]
            which = f"round {number} of {self.plan.rounds}"
            self.on_step(Step(f"{level.concurrency} at a time, {which}", target))
            bodies = [self._body(target, said) for said in prompts]
            found[place] = await self._load(
                target, bodies, level.concurrency, on_end=self.on_end
            )
        for place, result in found.items():
            level.results[place].append(result)
        if len(self.targets) == 2:
            both = found[0], found[1]
            level.pairs.append(
                Pair.of(level.concurrency, number, both, is_this_first=order[0] == 0)
            )

    def _body(
        self, target: Target, said: Messages, max_tokens: int | None = None
    ) -> dict[str, Any]:
        return {
            "model": target.model,
            "messages": said,
            "temperature": 0,
            "max_tokens": max_tokens or self.plan.max_tokens,
        }

    async def _load(
        self,
        target: Target,
        bodies: list[dict[str, Any]],
        concurrency: int,
        on_end: Callable[[], None] = lambda: None,
    ) -> LoadResult:
        return await closed_loop(
            target.base_url,
            bodies,
            concurrency=concurrency,
            api_key=target.api_key,
            timeout_s=self.plan.timeout_s,
            on_end=on_end,
        )


async def length_of(target: Target, *, timeout_s: float) -> Length:
    """Find out how long this server's model finds words.

    Raises:
        BenchError: it does not answer, or does not count.
    """
    seen = []
    for count in (FEW_WORDS, MANY_WORDS):
        said = next(words(count))
        body = {"model": target.model, "messages": said, "max_tokens": 1}
        result = await closed_loop(
            target.base_url,
            [body],
            concurrency=1,
            api_key=target.api_key,
            timeout_s=timeout_s,
        )
        if result.errors:
            raise BenchError(f"{target.label}: {result.errors[0]}")
        seen.append((count, result.answers[0].prompt_tokens))
    if not seen[0][1]:
        raise BenchError(
            f"{target.label} does not count tokens: use --prompt-file instead of "
            "--input-tokens"
        )
    return Length.of(*seen)
