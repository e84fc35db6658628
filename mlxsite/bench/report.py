"""All of a run as one value: what JSON tells, the database keeps and tables show."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from mlxsite.hardware import hardware
from mlxsite.startup.versions import shown_versions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from inference.client.bench import Bench, Target
    from inference.client.figures import LevelFigures, LevelRatios, Pair


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What a run was set to beside its plan; `computes_on` is what the server reports."""

    prompts: str
    input_tokens: int | None
    note: str
    is_near: bool
    node: str
    computes_on: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """One run. `figures` has a row per level, in it each server's."""

    at: datetime
    duration_s: float
    settings: RunSettings
    targets: tuple[Target, ...]
    parameters: dict[str, Any]
    figures: tuple[tuple[LevelFigures, ...], ...]
    pairs: tuple[Pair, ...]
    ratios: tuple[LevelRatios, ...]

    @classmethod
    def of(
        cls, bench: Bench, settings: RunSettings, *, at: datetime, duration_s: float
    ) -> Report:
        """Sum up what was measured so far."""
        levels = [level for level in bench.levels if any(level.results)]
        is_compared = len(bench.targets) == 2
        return cls(
            at=at,
            duration_s=duration_s,
            settings=settings,
            targets=bench.targets,
            parameters=_parameters(bench, settings),
            figures=tuple(level.figures() for level in levels),
            pairs=tuple(pair for level in levels for pair in level.pairs),
            ratios=tuple(level.ratios() for level in levels) if is_compared else (),
        )

    @property
    def errors(self) -> int:
        """How many requests failed."""
        return sum(one.errors for level in self.figures for one in level)

    def of_server(self, place: int) -> list[LevelFigures]:
        """Return one server's figures by level; none where there is no such server."""
        return [level[place] for level in self.figures if place < len(level)]

    def to_values(self) -> dict[str, Any]:
        """Return the columns of a kept run."""
        this, *others = self.targets
        other = others[0] if others else None
        return {
            "at": self.at,
            "node": self.settings.node,
            "is_near": self.settings.is_near,
            "model": this.model,
            "base_url": without_password(this.base_url),
            "against_model": other.model if other else "",
            "against_url": without_password(other.base_url) if other else "",
            "note": self.settings.note,
            "duration_s": self.duration_s,
            "hardware": self._hardware(),
            "versions": shown_versions(),
            "parameters": self.parameters,
            "levels": _plain(self.of_server(0)),
            "against_levels": _plain(self.of_server(1)),
            "pairs": _plain(self.pairs),
            "ratios": _plain(self.ratios),
        }

    def _hardware(self) -> dict[str, Any]:
        """Return this machine; a server on it knows best what it computes on."""
        found = hardware()
        if self.settings.is_near and self.settings.computes_on:
            found["computes_on"] = self.settings.computes_on
        return found

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON's types."""
        return self.to_values() | {"at": self.at.isoformat()}


def without_password(url: str) -> str:
    """Return a URL without the name and password it may carry."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _parameters(bench: Bench, settings: RunSettings) -> dict[str, Any]:
    plan = bench.plan
    return {
        "concurrency": list(plan.levels),
        "requests": [plan.requests_at(level) for level in plan.levels],
        "rounds": plan.rounds,
        "max_tokens": plan.max_tokens,
        "prompts": settings.prompts,
        "input_tokens": settings.input_tokens,
        "temperature": 0,
        "timeout_s": plan.timeout_s,
    }


def _plain(values: Sequence[LevelFigures | Pair | LevelRatios]) -> list[dict[str, Any]]:
    return [asdict(value) for value in values]
