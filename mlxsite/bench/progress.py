"""How far a benchmark is: a bar in a terminal, else a line per round; on stderr."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from metrics.figures import rate_text

if TYPE_CHECKING:
    from types import TracebackType

    from inference.client.bench import Level, Step


class BenchProgress:
    """Hears of every step; shows what a person wants to know meanwhile."""

    def __init__(self, *, requests: int, rounds: int) -> None:
        self._console = Console(stderr=True)
        self._rounds = rounds
        self._bar = Progress(
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("", total=requests)

    def __enter__(self) -> BenchProgress:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def show_step(self, step: Step) -> None:
        """Say what is being done, and to whom."""
        self._bar.update(self._task, description=f"{step.words}, {step.target.label}")

    def count_one(self) -> None:
        """One more request has ended."""
        self._bar.advance(self._task)

    def show_round(self, level: Level) -> None:
        """Tell a log file how a round went; a terminal has the bar."""
        if self._console.is_terminal:
            return
        rates = (rate_text(found[-1].tokens_per_s) for found in level.results)
        number = len(level.results[0])
        self._console.print(
            f"{level.concurrency} at a time, round {number} of {self._rounds}: "
            f"{' against '.join(rates)} tok/s",
            highlight=False,
        )
