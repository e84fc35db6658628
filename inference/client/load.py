"""A closed loop of streamed chat requests: always so many under way, then figures."""

from __future__ import annotations

import asyncio
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inference.client.wire import ChatConnection, RequestFailedError, StreamTiming

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What one closed loop came to. Durations in seconds."""

    answers: tuple[StreamTiming, ...]
    errors: tuple[str, ...]
    wall_s: float

    @property
    def tokens(self) -> int:
        """Completion tokens of all answers."""
        return sum(answer.completion_tokens for answer in self.answers)

    @property
    def tokens_per_s(self) -> float:
        """Completion tokens of all streams together, per second of wall time."""
        return self.tokens / self.wall_s

    @property
    def median_ttft_s(self) -> float:
        """Median time to the first text."""
        return statistics.median(answer.ttft_s for answer in self.answers)

    @property
    def median_gap_s(self) -> float:
        """Median time between two chunks of one answer; 0.0 without any."""
        gaps = [gap for answer in self.answers for gap in answer.gaps_s]
        return statistics.median(gaps) if gaps else 0.0


async def closed_loop(
    base_url: str,
    bodies: Sequence[dict[str, Any]],
    *,
    concurrency: int,
    api_key: str = "",
    timeout_s: float | None = None,
    on_end: Callable[[], None] = lambda: None,
) -> LoadResult:
    """Send every body once, `concurrency` at a time, in order.

    A request that takes longer than `timeout_s` is given up and counts as an error;
    `on_end` hears of the end of each.
    """
    answers: list[StreamTiming] = []
    errors: list[str] = []
    queue = iter(bodies)

    async def stream_one_after_another(queue: Iterator[dict[str, Any]]) -> None:
        connection = ChatConnection(base_url, api_key=api_key)
        for body in queue:
            try:
                async with asyncio.timeout(timeout_s):
                    answers.append(await connection.stream_chat(body))
            except TimeoutError as error:
                errors.append(str(error) or f"no whole answer within {timeout_s} s")
            except ConnectionRefusedError:
                errors.append("nobody answers there")
            except (RequestFailedError, OSError) as error:
                errors.append(str(error) or type(error).__name__)
            on_end()
        connection.close()

    began = time.perf_counter()
    streams = min(concurrency, len(bodies))
    await asyncio.gather(*(stream_one_after_another(queue) for _ in range(streams)))
    return LoadResult(tuple(answers), tuple(errors), time.perf_counter() - began)
