"""The figures of one moment as Prometheus metric families: owns names and texts."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, TypeVar

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)

from inference.core.outcomes import ModelState, Outcome
from metrics.prometheus.measures import MEASURES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from inference.core.catalog import ModelCard
    from metrics.prometheus.counts import Distribution, ModelCounts
    from metrics.prometheus.moment import Moment

# What names of our own begin with; those of version 0.1 are shown beside them.
PREFIX, OLD_PREFIX = "mlx_server_", "mlxsite_"
# vLLM numbers its engines; there is one here.
ENGINE = "0"
MODEL_LABELS = ("model_name", "engine")
ENDS = ("stop", "length", "abort", "error")
ENDED = tuple(outcome.value for outcome in Outcome if outcome is not Outcome.RUNNING)

Labelled = tuple[tuple[str, ...], float]
FamilyT = TypeVar("FamilyT", CounterMetricFamily, GaugeMetricFamily)


def families(moment: Moment) -> Iterator[Metric]:
    """Yield everything that is shown."""
    yield from _server_families(moment)
    yield from _queue_families(moment)
    yield from _record_families(moment)
    yield from _card_families(moment)
    yield from _model_families(moment)
    yield from _histograms(moment)


def under_old_name(family: Metric) -> Metric:
    """Return one of our own families under its name of version 0.1."""
    name = family.name.replace(PREFIX, OLD_PREFIX, 1)
    old = Metric(name, f"Old name of {family.name}.", family.type)
    old.samples = [
        sample._replace(name=sample.name.replace(PREFIX, OLD_PREFIX, 1))
        for sample in family.samples
    ]
    return old


def _server_families(moment: Moment) -> Iterator[Metric]:
    yield InfoMetricFamily("mlx_server_build", "Versions.", value=dict(moment.versions))
    yield _gauge(
        "mlx_server_start_time_seconds", "Start, Unix time.", moment.started_at
    )
    yield _gauge("mlx_server_ready", "Whether a model can answer.", moment.is_ready)
    yield _gauge("mlx_server_draining", "Whether it shuts down.", moment.is_draining)
    requests = _labelled_counter(
        "mlx_server_requests",
        "Requests that ended, as many as there are rows; unsuccessful by reason.",
        ("endpoint", "outcome", "reason"),
        moment.counts.requests.items(),
    )
    yield requests
    yield _gauge(
        "mlx_server_requests_open", "Requests without an end.", moment.counts.open
    )
    yield _labelled_counter(
        "mlx_server_events",
        "What happened to the server and its models.",
        ("kind",),
        (((kind,), count) for kind, count in moment.counts.events.items()),
    )


def _queue_families(moment: Moment) -> Iterator[Metric]:
    queues = moment.queues
    text = "Waiting places, over all models."
    yield _gauge("mlx_server_queue_places", text, queues.max_waiting)
    text = "Requests that wait for a seat, a load or memory, over all models."
    yield _gauge("mlx_server_queue_waiting", text, queues.waiting)
    yield _gauge(
        "mlx_server_memory_budget_bytes",
        "What all models together may hold.",
        moment.budget_bytes,
    )


def _record_families(moment: Moment) -> Iterator[Metric]:
    yield _gauge(
        "mlx_server_record_lag_bytes",
        "Bytes of the record on disk that are not in the database yet.",
        moment.lag_bytes,
    )
    yield _gauge(
        "mlx_server_record_backlog_lines",
        "Lines of the record that wait in memory because the disk takes none.",
        moment.backlog_lines,
    )
    yield CounterMetricFamily(
        "mlx_server_record_dropped_lines", "Lines lost.", moment.dropped_lines
    )
    yield CounterMetricFamily(
        "mlx_server_record_suppressed_rows",
        "Refusals of unknown callers that left no row.",
        moment.suppressed_rows,
    )


def _card_families(moment: Moment) -> Iterator[Metric]:
    def gauge(
        name: str, text: str, read: Callable[[ModelCard], float | None]
    ) -> Metric:
        values = ((card.key, read(card)) for card in moment.cards)
        found = (((key, ENGINE), v) for key, v in values if v is not None)
        return _filled(GaugeMetricFamily(name, text, labels=MODEL_LABELS), found)

    running = "Sequences that are being generated."
    yield gauge("vllm:num_requests_running", running, lambda card: card.active)
    waiting = "Requests in line for a seat."
    yield gauge("vllm:num_requests_waiting", waiting, lambda card: card.waiting)
    yield gauge(
        "vllm:kv_cache_usage_perc",
        "Share of the memory beside all weights that the model's caches take, 0 to 1.",
        moment.cache_share,
    )
    held = "Memory that the model's worker holds."
    yield gauge(
        "mlx_server_model_memory_bytes", held, lambda card: card.memory_bytes or 0
    )
    weights = "Memory that the model's weights take."
    yield gauge("mlx_server_model_size_bytes", weights, lambda card: card.size_bytes)
    seats = "Sequences that may be generated at once."
    yield gauge("mlx_server_model_seats", seats, lambda card: card.max_concurrency)
    load = "How long the last load took."
    yield gauge("mlx_server_model_load_seconds", load, lambda card: card.load_s)
    yield _filled(
        GaugeMetricFamily(
            "mlx_server_model_state",
            "1 for the state that the model is in, 0 for the others.",
            labels=("model_name", "state"),
        ),
        (
            ((card.key, state.value), card.state is state)
            for card in moment.cards
            for state in ModelState
        ),
    )


def _model_families(moment: Moment) -> Iterator[Metric]:
    models = moment.counts.models.items()

    def counter(name: str, text: str, read: Callable[[ModelCounts], int]) -> Metric:
        values = (((model, ENGINE), read(counts)) for model, counts in models)
        return _labelled_counter(name, text, MODEL_LABELS, values)

    def by_word(
        name: str,
        text: str,
        label: str,
        read: Callable[[ModelCounts], dict[str, int]],
        words: Iterable[str],
    ) -> Metric:
        values = (
            ((model, ENGINE, word), read(counts).get(word, 0))
            for model, counts in models
            for word in words
        )
        return _labelled_counter(name, text, (*MODEL_LABELS, label), values)

    text = "Tokens in prompts."
    yield counter("vllm:prompt_tokens", text, lambda counts: counts.prompt_tokens)
    text = "Tokens generated."
    yield counter(
        "vllm:generation_tokens", text, lambda counts: counts.generation_tokens
    )
    text = "Requests that left the batch, by how they ended."
    yield by_word(
        "vllm:request_success", text, "finished_reason", lambda c: c.ends, ENDS
    )
    yield counter("vllm:num_preemptions", "None ever happens.", lambda _counts: 0)
    text = "Prompt tokens that were looked up in the prompt cache."
    yield counter("vllm:prefix_cache_queries", text, lambda c: c.prompt_tokens)
    text = "Prompt tokens that were found in the prompt cache."
    yield counter("vllm:prefix_cache_hits", text, lambda c: c.cached_tokens)
    text = "Images that were looked up among known ones."
    yield counter("vllm:mm_cache_queries", text, lambda counts: counts.images)
    text = "Images whose features were known."
    yield counter("vllm:mm_cache_hits", text, lambda counts: counts.images_cached)
    text = "Tokens of thinking among those generated."
    yield counter("mlx_server_reasoning_tokens", text, lambda c: c.reasoning_tokens)
    text = "Requests that ended, by model; those that found none are not here."
    yield by_word(
        "mlx_server_model_requests", text, "outcome", lambda c: c.outcomes, ENDED
    )
    text = "Loads that ended, by whether they went well."
    yield by_word(
        "mlx_server_model_loads", text, "result", lambda c: c.loads, ("ok", "failed")
    )
    text = "Worker processes that died unexpectedly."
    yield counter("mlx_server_worker_deaths", text, lambda counts: counts.worker_deaths)


def _histograms(moment: Moment) -> Iterator[Metric]:
    models = moment.counts.models.items()
    for at, measure in enumerate(MEASURES):
        family = HistogramMetricFamily(measure.name, measure.text, labels=MODEL_LABELS)
        for model, counts in models:
            filled = counts.distributions[at]
            family.add_metric((model, ENGINE), _buckets(filled), filled.total)
        yield family


def _buckets(filled: Distribution) -> list[tuple[str, float]]:
    bounds = [*(str(bound) for bound in filled.measure.bounds), "+Inf"]
    return list(zip(bounds, accumulate(filled.counts), strict=True))


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _labelled_counter(
    name: str, text: str, labels: tuple[str, ...], values: Iterable[Labelled]
) -> Metric:
    return _filled(CounterMetricFamily(name, text, labels=labels), values)


def _filled(family: FamilyT, values: Iterable[Labelled]) -> FamilyT:
    for labels, value in values:
        family.add_metric(labels, value)
    return family
