"""The figures of a run as tables in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from metrics.figures import NOTHING, rate_text, seconds_text, share_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console, RenderableType

    from inference.client.figures import LevelFigures, LevelRatios, Pair, Spread
    from mlxsite.bench.report import Report

METRICS = {
    "first token": "ttft",
    "between tokens": "inter_token",
    "between chunks": "chunk_gap",
    "whole answer": "total",
}
SIDES = ("this", "other")
PAIR_HEADS = (
    *("this\ntok/s", "other\ntok/s", "\nratio"),
    *("first\ntoken", "between\ntokens", "whole\nanswer"),
)
INDENT = (0, 0, 0, 2)
LEGEND = (
    "Ratios are this server ÷ the other one: tok/s above 1 and times below 1 are\n"
    "in favour of this one."
)


def print_report(console: Console, report: Report) -> None:
    """Print a table per level, and one of its pairs where two were measured."""
    labels = [target.label for target in report.targets]
    if len(labels) > 1:
        labels = [
            f"{side} ({label})" for side, label in zip(SIDES, labels, strict=True)
        ]
    for place, level in enumerate(report.figures):
        console.print()
        console.print(Text(f"{level[0].concurrency} at a time", style="bold"))
        for part in _level_parts(level, labels):
            console.print(Padding(part, INDENT, expand=False))
        if report.ratios:
            ratios = report.ratios[place]
            pairs = [
                one for one in report.pairs if one.concurrency == ratios.concurrency
            ]
            console.print()
            console.print(Padding(_pairs_table(pairs, ratios), INDENT, expand=False))
    if report.ratios:
        console.print()
        console.print(Text(LEGEND, style="dim"))


def _level_parts(
    level: tuple[LevelFigures, ...], labels: list[str]
) -> Iterator[RenderableType]:
    for figures, label in zip(level, labels, strict=True):
        yield from _summary(figures, label)
    yield _percentiles(level)


def _summary(figures: LevelFigures, label: str) -> Iterator[Text]:
    """Say in a line what came of a server, and in another what went wrong."""
    parts = [
        f"{rate_text(figures.tokens_per_s)} tok/s",
        f"{figures.requests:,} requests in {seconds_text(figures.wall_s)}",
        _errors(figures.errors),
    ]
    yield Text(f"{label}: {', '.join(parts)}")
    if figures.cached_tokens:
        share = share_text(figures.cached_tokens, figures.prompt_tokens)
        yield Text(f"  {share} of its prompt tokens came from its cache", style="dim")
    if figures.first_error:
        yield Text(f"the first error: {figures.first_error}", style="red")


def _errors(count: int) -> str:
    return "no errors" if not count else f"{count:,} error{'s' if count > 1 else ''}"


def _percentiles(level: tuple[LevelFigures, ...]) -> Table:
    table = _table()
    table.add_column("")
    if len(level) > 1:
        table.add_column("")
    for name in ("p50", "p95", "p99"):
        table.add_column(name, justify="right")
    for words, name in METRICS.items():
        for place, figures in enumerate(level):
            spread: Spread | None = getattr(figures, name)
            cells = [words if not place else ""]
            cells += [SIDES[place]] if len(level) > 1 else []
            table.add_row(*cells, *_spread_cells(spread))
    return table


def _spread_cells(spread: Spread | None) -> list[str]:
    if spread is None:
        return [NOTHING] * 3
    return [seconds_text(seconds) for seconds in (spread.p50, spread.p95, spread.p99)]


def _pairs_table(pairs: list[Pair], ratios: LevelRatios) -> Table:
    """Show each pair's ratios, and below them their median and range."""
    table = _table()
    table.add_column("\npair")
    table.add_column("\nfirst")
    for words in PAIR_HEADS:
        table.add_column(words, justify="right")
    for pair in pairs:
        table.add_row(
            str(pair.number),
            SIDES[0] if pair.is_this_first else SIDES[1],
            *map(rate_text, pair.tokens_per_s),
            *map(
                _ratio_text,
                (
                    pair.tokens_per_s_ratio,
                    pair.ttft_ratio,
                    pair.inter_token_ratio,
                    pair.total_ratio,
                ),
            ),
        )
    table.add_section()
    ranges = (ratios.tokens_per_s, ratios.ttft, ratios.inter_token, ratios.total)
    for words in ("median", "least", "most"):
        cells = [_ratio_text(getattr(one, words, None)) for one in ranges]
        style = "bold" if words == "median" else "dim"
        table.add_row(words, "", "", "", *cells, style=style)
    return table


def _ratio_text(ratio: float | None) -> str:
    return NOTHING if ratio is None else f"{ratio:.2f}"


def _table() -> Table:
    """Return a table that stands two columns in, as the lines above it do."""
    return Table(box=box.SIMPLE_HEAD, show_edge=False, header_style="dim")
