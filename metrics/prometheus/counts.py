"""What happened since this server's start, counted in memory on the event loop."""

from __future__ import annotations

from collections import Counter
from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from inference.core.events import RequestObserver
from inference.core.outcomes import FinishReason, Outcome
from metrics.histograms import bucket_of
from metrics.prometheus.measures import MEASURES, Measure

if TYPE_CHECKING:
    from inference.core.events import RequestRecord, ServerEvent

# Beyond so many, a name is counted under `other`: nobody may fill a monitoring
# system's memory by inventing names.
MODELS_MOST = 200
ENDPOINTS_MOST = 50
REASONS_MOST = 200
OTHER = "other"

_LOADS = {"model_load": "ok", "model_load_failed": "failed"}
# vLLM's words for how a request ended in its engine.
_ENDS = {
    Outcome.CANCELLED: "abort",
    Outcome.FAILED: "error",
    Outcome.INTERRUPTED: "error",
    Outcome.TIMED_OUT: "error",
}
# A tool call is an ordinary stop to an engine.
_STOPS = {FinishReason.TOOL_CALLS.value: FinishReason.STOP.value}


@dataclass(slots=True)
class Names:
    """The first `most` different names, as labels; all others share one."""

    most: int
    known: set[str] = field(default_factory=set)

    def label(self, name: str) -> str:
        """Return the name itself, or `other` where there are enough already."""
        if name in self.known:
            return name
        if len(self.known) >= self.most:
            return OTHER
        self.known.add(name)
        return name


@dataclass(slots=True)
class Distribution:
    """A histogram that is being filled: a count per bucket, and the sum."""

    measure: Measure
    counts: list[int]
    total: float = 0.0

    def add(self, record: RequestRecord) -> None:
        """Count a request's value, if it has one."""
        value = self.measure.read(record)
        if value is not None:
            weight = self.measure.weight(record)
            self.counts[bucket_of(value, self.measure.bounds)] += weight
            self.total += value * weight

    def copied(self) -> Distribution:
        """Return one that stands still."""
        return Distribution(self.measure, self.counts.copy(), self.total)


def _empty_distributions() -> list[Distribution]:
    return [Distribution(each, [0] * (len(each.bounds) + 1)) for each in MEASURES]


@dataclass(slots=True)
class ModelCounts:
    """What one model did; tokens and times are those of requests with a seat."""

    outcomes: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    loads: Counter[str] = field(default_factory=Counter)
    worker_deaths: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    generation_tokens: int = 0
    reasoning_tokens: int = 0
    images: int = 0
    images_cached: int = 0
    distributions: list[Distribution] = field(default_factory=_empty_distributions)

    def add(self, record: RequestRecord) -> None:
        """Count a request that ended."""
        self.outcomes[record.outcome] += 1
        if record.admitted:
            self._add_generation(record)

    def copied(self) -> Self:
        """Return counts that stand still."""
        other = copy(self)
        other.outcomes, other.ends = self.outcomes.copy(), self.ends.copy()
        other.loads = self.loads.copy()
        other.distributions = [each.copied() for each in self.distributions]
        return other

    def _add_generation(self, record: RequestRecord) -> None:
        reason = _STOPS.get(record.finish_reason, record.finish_reason)
        end = _ENDS.get(record.outcome, reason or FinishReason.STOP.value)
        self.ends[end] += 1
        self.prompt_tokens += record.prompt_tokens or 0
        self.cached_tokens += record.cached_tokens or 0
        self.generation_tokens += record.completion_tokens or 0
        self.reasoning_tokens += record.reasoning_tokens or 0
        self.images += record.images
        self.images_cached += record.images_cached
        for distribution in self.distributions:
            distribution.add(record)


@dataclass(slots=True)
class RunCounts(RequestObserver):
    """Counts what this server run did; lives on the event loop.

    `requests` counts the rows that ended by endpoint, outcome and reason; `open` are
    those without an end yet.
    """

    requests: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    models: dict[str, ModelCounts] = field(default_factory=dict)
    open: int = 0
    _models: Names = field(default_factory=lambda: Names(MODELS_MOST))
    _endpoints: Names = field(default_factory=lambda: Names(ENDPOINTS_MOST))
    _reasons: Names = field(default_factory=lambda: Names(REASONS_MOST))

    def request_started(self, record: RequestRecord) -> None:
        """Count a request that has no end yet."""
        self.open += 1

    def request_finished(self, record: RequestRecord) -> None:
        """Count a request that ended, by whatever end."""
        self.open -= 1
        endpoint = self._endpoints.label(record.endpoint)
        reason = self._reasons.label(record.reason)
        self.requests[endpoint, record.outcome.value, reason] += 1
        if record.model:
            self.of(record.model).add(record)

    def server_event(self, event: ServerEvent) -> None:
        """Count what happened to the server or to a model."""
        self.events[event.kind] += 1
        if event.kind in _LOADS:
            self.of(event.model).loads[_LOADS[event.kind]] += 1
        elif event.kind == "worker_died":
            self.of(event.model).worker_deaths += 1

    def of(self, model: str) -> ModelCounts:
        """Return the counts of a model, from zero where it is new."""
        label = self._models.label(model)
        if label not in self.models:
            self.models[label] = ModelCounts()
        return self.models[label]

    def copied(self) -> Self:
        """Return counts that stand still, to be read in another thread."""
        other = copy(self)
        other.requests, other.events = self.requests.copy(), self.events.copy()
        other.models = {name: each.copied() for name, each in self.models.items()}
        return other
