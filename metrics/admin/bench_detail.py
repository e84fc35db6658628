"""What the pages of benchmarks tell: series for charts, rows for tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.utils import timezone
from django.utils.html import format_html

from metrics.figures import (
    NOTHING,
    count_text,
    rate_text,
    seconds_text,
    share_text,
    size_text,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.utils.safestring import SafeString

    from metrics.models import BenchRun

METRICS = {
    "ttft": "First token",
    "inter_token": "Between tokens",
    "chunk_gap": "Between chunks",
    "total": "Whole answer",
}
HARDWARE = {
    "processor": "Processor",
    "cores": "Cores",
    "memory_bytes": "Memory",
    "computes_on": "Computes on",
    "system": "System",
    "machine": "Architecture",
}
PARAMETERS = {
    "prompts": "Prompts",
    "input_tokens": "Prompt tokens asked for",
    "max_tokens": "Tokens of an answer, at most",
    "requests": "Requests a round",
    "rounds": "Rounds",
    "temperature": "Temperature",
    "timeout_s": "Seconds per request, at most",
}


@dataclass(frozen=True, slots=True)
class ServerLines:
    """One server at one level: a line of sums, and a line per metric."""

    name: str
    rate: str
    requests: str
    errors: str
    cached: str
    first_error: str
    spreads: tuple[tuple[str, str, str, str], ...]


@dataclass(frozen=True, slots=True)
class LevelTable:
    """Everything about one level."""

    concurrency: int
    servers: tuple[ServerLines, ...]
    pairs: tuple[tuple[str, ...], ...]
    medians: tuple[tuple[str, ...], ...]


def chart_of(run: BenchRun) -> dict[str, Any]:
    """Return what the charts draw of a run."""
    at = timezone.localtime(run.at)
    return {
        "id": run.pk,
        "model": run.model,
        "label": run.note or f"{run.model}, {at:%d %b %H:%M}",
        "levels": _points(run.levels),
        "against": _points(run.against_levels),
        "other": urlsplit(run.against_url).netloc,
    }


def bench_detail(run: BenchRun) -> dict[str, Any]:
    """Return the context of a run's page."""
    parameters = run.parameters | {
        "requests": ", ".join(map(str, run.parameters.get("requests", []))),
        "prompts": run.parameters.get("prompts", ""),
    }
    hardware = dict(run.hardware)
    if isinstance(hardware.get("memory_bytes"), int):
        hardware["memory_bytes"] = size_text(hardware["memory_bytes"])
    return {
        "title": f"Benchmark of {run.model}",
        "duration": seconds_text(run.duration_s),
        "levels": [_level_table(run, place) for place in range(len(run.levels))],
        "parameters": _named(parameters, PARAMETERS),
        "hardware": _named(hardware, HARDWARE),
        "versions": sorted(run.versions.items()),
        "runs": [chart_of(run)],
    }


def measured_at(text: str, level: dict[str, Any]) -> SafeString:
    """Write a figure, and at which concurrency it was measured."""
    return format_html(
        '{} <small class="dim">at {}</small>', text, level["concurrency"]
    )


def median_ratio(found: dict[str, float] | None) -> str:
    """Write the median of pairs as a ratio."""
    return f"{found['median']:.2f} ×" if found else NOTHING  # noqa: RUF001 -- times


def _points(levels: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "concurrency": level["concurrency"],
            "tokens_per_s": level["tokens_per_s"],
            "ttft": _p50(level["ttft"]),
            "inter_token": _p50(level["inter_token"]),
        }
        for level in levels
    ]


def _p50(spread: dict[str, float] | None) -> float | None:
    return spread["p50"] if spread else None


def _level_table(run: BenchRun, place: int) -> LevelTable:
    concurrency = run.levels[place]["concurrency"]
    servers = [_server_lines(urlsplit(run.base_url).netloc, run.levels[place])]
    if place < len(run.against_levels):
        servers.append(
            _server_lines(urlsplit(run.against_url).netloc, run.against_levels[place])
        )
    ratios = [one for one in run.ratios if one["concurrency"] == concurrency]
    return LevelTable(
        concurrency=concurrency,
        servers=tuple(servers),
        pairs=tuple(
            _pair_row(pair) for pair in run.pairs if pair["concurrency"] == concurrency
        ),
        medians=tuple(_median_rows(ratios[0])) if ratios else (),
    )


def _server_lines(name: str, level: dict[str, Any]) -> ServerLines:
    return ServerLines(
        name=name,
        rate=rate_text(level["tokens_per_s"]),
        requests=count_text(level["requests"]),
        errors=_errors_text(level["errors"]),
        cached=_cached_text(level),
        first_error=level["first_error"],
        spreads=tuple(
            (label, *_spread_texts(level[name])) for name, label in METRICS.items()
        ),
    )


def _errors_text(count: int) -> str:
    return "no errors" if not count else f"{count:,} failed"


def _cached_text(level: dict[str, Any]) -> str:
    """Write how much of its prompts a server did not read anew."""
    cached = level.get("cached_tokens", 0)
    return share_text(cached, level["prompt_tokens"]) if cached else ""


def _spread_texts(spread: dict[str, float] | None) -> tuple[str, str, str]:
    p50, p95, p99 = (
        seconds_text(spread[name] if spread else None) for name in ("p50", "p95", "p99")
    )
    return p50, p95, p99


def _pair_row(pair: dict[str, Any]) -> tuple[str, ...]:
    ratios = (
        pair[f"{name}_ratio"]
        for name in ("tokens_per_s", "ttft", "inter_token", "total")
    )
    return (
        str(pair["number"]),
        "this" if pair["is_this_first"] else "other",
        *map(rate_text, pair["tokens_per_s"]),
        *map(_ratio_text, ratios),
    )


def _median_rows(ratios: dict[str, Any]) -> Iterable[tuple[str, ...]]:
    found = [ratios[name] for name in ("tokens_per_s", "ttft", "inter_token", "total")]
    for word in ("median", "least", "most"):
        yield (word, *(_ratio_text(one[word] if one else None) for one in found))


def _ratio_text(ratio: float | None) -> str:
    return NOTHING if ratio is None else f"{ratio:.2f}"


def _named(values: dict[str, Any], names: dict[str, str]) -> list[tuple[str, Any]]:
    return [
        (label, values[name])
        for name, label in names.items()
        if values.get(name) not in (None, "")
    ]
