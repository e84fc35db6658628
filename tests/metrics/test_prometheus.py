"""What `/metrics` shows: names and buckets of vLLM, every request once."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as open_families,
)
from prometheus_client.parser import text_string_to_metric_families

from inference.core.catalog import ModelCard, QueueSnapshot
from inference.core.outcomes import ModelState, Outcome
from inference.runtime.app import App, install_app
from inference.runtime.unauthenticated import UnauthenticatedCallers
from metrics.prometheus import PrometheusExposition, RunCounts, exposition
from metrics.prometheus.counts import ENDPOINTS_MOST, MODELS_MOST, OTHER
from metrics.prometheus.families import families as families_of
from tests.metrics.cast import ended, event, started

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.core import Metric

    from inference.core.events import RequestRecord
    from metrics.prometheus.moment import Moment

TINY = {"model_name": "tiny", "engine": "0"}

# Of vLLM's loggers, in seconds.
TTFT = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0),
    *(7.5, 10.0, 20.0, 40.0, 80.0, 160.0, 640.0, 2560.0),
)
PER_TOKEN = (
    *(0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0),
    *(7.5, 10.0, 20.0, 40.0, 80.0),
)
WHOLE = (
    *(0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0),
    *(60.0, 120.0, 240.0, 480.0, 960.0, 1920.0, 7680.0),
)
BOUNDS = {
    "vllm:time_to_first_token_seconds": TTFT,
    "vllm:inter_token_latency_seconds": PER_TOKEN,
    "vllm:request_time_per_output_token_seconds": PER_TOKEN,
    "vllm:e2e_request_latency_seconds": WHOLE,
    "vllm:request_queue_time_seconds": WHOLE,
    "vllm:request_prefill_time_seconds": WHOLE,
    "vllm:request_decode_time_seconds": WHOLE,
    "vllm:request_inference_time_seconds": WHOLE,
}


def card(key: str = "tiny", **changes: Any) -> ModelCard:
    values: dict[str, Any] = {"source": "x", "state": ModelState.READY}
    return ModelCard(key=key, **values | changes)


class Service:
    """Says how the queues are."""

    memory_budget_bytes = 1000
    is_ready = True
    is_draining = False

    def __init__(self) -> None:
        self.cards: tuple[ModelCard, ...] = (card(),)

    def snapshot(self) -> QueueSnapshot:
        return QueueSnapshot(
            running=True,
            waiting=3,
            max_waiting=100,
            active=2,
            max_concurrency=32,
            models=self.cards,
        )


class Scraped:
    """A server's counts, and what a scraper reads of them."""

    def __init__(self) -> None:
        self.counts = RunCounts()
        self.service = Service()
        self.exposition = PrometheusExposition(self.counts, {"version": "0.1"})
        record = SimpleNamespace(
            spool_lag_bytes=7, backlog_lines=1, dropped_total=2, last_error=""
        )
        parts: dict[str, Any] = dict.fromkeys(("observer", "stats", "keys", "identity"))
        service: Any = self.service
        health: Any = record
        install_app(
            App(
                service=service,
                record=health,
                unauthenticated=UnauthenticatedCallers(),
                **parts,
            )
        )

    def end(self, record: RequestRecord) -> None:
        self.counts.request_started(record)
        self.counts.request_finished(record)

    def text(self, accept: str = "") -> str:
        body, _ = asyncio.run(self.exposition.render(accept))
        return body.decode()

    def samples(self) -> dict[str, list[tuple[dict[str, str], float]]]:
        found: dict[str, list[tuple[dict[str, str], float]]] = {}
        for family in text_string_to_metric_families(self.text()):
            for sample in family.samples:
                found.setdefault(sample.name, []).append((sample.labels, sample.value))
        return found

    def value(self, name: str, **labels: str) -> float:
        (value,) = [each for found, each in self.samples()[name] if found == labels]
        return value


@pytest.fixture
def scraped() -> Iterator[Scraped]:
    yield Scraped()
    install_app(None)


def test_it_counts_every_request_that_ended_once(scraped: Scraped) -> None:
    for outcome, reason in (
        (Outcome.FINISHED, ""),
        (Outcome.FINISHED, ""),
        (Outcome.REJECTED, "queue_full"),
        (Outcome.INVALID, "invalid_value"),
    ):
        scraped.end(ended(started(), outcome=outcome, reason=reason))
    scraped.counts.request_started(started())
    counted = scraped.samples()["mlx_server_requests_total"]
    assert sum(value for _, value in counted) == 4
    path = "/v1/chat/completions"
    name = "mlx_server_requests_total"
    assert scraped.value(name, endpoint=path, outcome="finished", reason="") == 2
    refused = {"endpoint": path, "outcome": "rejected", "reason": "queue_full"}
    assert scraped.value(name, **refused) == 1
    assert scraped.value("mlx_server_requests_open") == 1


@pytest.mark.parametrize("name", BOUNDS)
def test_every_bucket_of_vllm_is_there(scraped: Scraped, name: str) -> None:
    found = {float(labels["le"]) for labels, _ in scraped.samples()[f"{name}_bucket"]}
    assert set(BOUNDS[name]) <= found
    assert float("inf") in found


def test_series_of_a_model_begin_at_zero(scraped: Scraped) -> None:
    assert scraped.value("vllm:generation_tokens_total", **TINY) == 0
    assert scraped.value("vllm:e2e_request_latency_seconds_count", **TINY) == 0
    assert (
        scraped.value("mlx_server_model_requests_total", **TINY, outcome="failed") == 0
    )


def test_it_adds_up_tokens_and_times_of_what_had_a_seat(scraped: Scraped) -> None:
    scraped.end(ended(started(), itl_mean_s=0.01, cached_tokens=5))
    scraped.end(ended(started(), outcome=Outcome.TIMED_OUT, admitted=False))
    assert scraped.value("vllm:prompt_tokens_total", **TINY) == 20
    assert scraped.value("vllm:generation_tokens_total", **TINY) == 150
    assert scraped.value("vllm:prefix_cache_hits_total", **TINY) == 5
    assert scraped.value("vllm:time_to_first_token_seconds_sum", **TINY) == 1.0
    assert scraped.value("vllm:e2e_request_latency_seconds_count", **TINY) == 1
    # One of the 150 tokens has none before it.
    name = "vllm:inter_token_latency_seconds"
    assert scraped.value(f"{name}_count", **TINY) == 149
    assert scraped.value(f"{name}_sum", **TINY) == pytest.approx(1.49)
    within = scraped.value(f"{name}_bucket", **TINY, le="0.01")
    below = scraped.value(f"{name}_bucket", **TINY, le="0.005")
    assert (below, within) == (0, 149)


@pytest.mark.parametrize(
    ("outcome", "finish_reason", "word"),
    [
        (Outcome.FINISHED, "stop", "stop"),
        (Outcome.FINISHED, "length", "length"),
        (Outcome.FINISHED, "tool_calls", "stop"),
        (Outcome.CANCELLED, "", "abort"),
        (Outcome.FAILED, "", "error"),
    ],
)
def test_ends_have_vllms_words(
    scraped: Scraped, outcome: Outcome, finish_reason: str, word: str
) -> None:
    scraped.end(ended(started(), outcome=outcome, finish_reason=finish_reason))
    counted = scraped.samples()["vllm:request_success_total"]
    assert [labels["finished_reason"] for labels, value in counted if value] == [word]


def test_it_shows_queues_memory_and_the_record(scraped: Scraped) -> None:
    scraped.service.cards = (
        card(active=2, waiting=3, memory_bytes=400, size_bytes=200),
    )
    assert scraped.value("vllm:num_requests_running", **TINY) == 2
    assert scraped.value("vllm:num_requests_waiting", **TINY) == 3
    # 200 bytes beside the weights, of the 800 that weights leave.
    assert scraped.value("vllm:kv_cache_usage_perc", **TINY) == 0.25
    assert scraped.value("mlx_server_model_memory_bytes", **TINY) == 400
    assert scraped.value("mlx_server_memory_budget_bytes") == 1000
    assert scraped.value("mlx_server_queue_places") == 100
    assert scraped.value("mlx_server_record_lag_bytes") == 7
    assert scraped.value("mlx_server_record_dropped_lines_total") == 2
    state = {"model_name": "tiny", "state": "ready"}
    assert scraped.value("mlx_server_model_state", **state) == 1


def test_it_counts_loads_and_deaths(scraped: Scraped) -> None:
    for kind in ("model_load", "model_load_failed", "worker_died", "worker_died"):
        scraped.counts.server_event(event(kind=kind, model="tiny"))
    assert scraped.value("mlx_server_model_loads_total", **TINY, result="ok") == 1
    assert scraped.value("mlx_server_model_loads_total", **TINY, result="failed") == 1
    assert scraped.value("mlx_server_worker_deaths_total", **TINY) == 2
    assert scraped.value("mlx_server_events_total", kind="worker_died") == 2


def test_nobody_can_invent_labels_without_end(scraped: Scraped) -> None:
    for number in range(1000):
        scraped.end(ended(started(endpoint=f"/v1/{number}"), model=f"model-{number}"))
    scraped.service.cards = tuple(card(f"model-{number}") for number in range(1000))
    samples = scraped.samples()
    tokens = {
        labels["model_name"]: value
        for labels, value in samples["vllm:generation_tokens_total"]
    }
    assert len(tokens) == MODELS_MOST + 1
    assert tokens[OTHER] == 150 * (1000 - MODELS_MOST)
    paths = {labels["endpoint"] for labels, _ in samples["mlx_server_requests_total"]}
    assert len(paths) == ENDPOINTS_MOST + 1
    assert len(samples["vllm:num_requests_running"]) == MODELS_MOST


def test_a_name_that_leads_to_no_model_becomes_no_label(scraped: Scraped) -> None:
    scraped.end(
        ended(
            started(model_requested="nonsense"),
            model="",
            admitted=False,
            outcome=Outcome.INVALID,
            reason="model_not_found",
        )
    )
    assert "nonsense" not in scraped.text()


def test_the_loop_goes_on_while_the_text_is_made(
    scraped: Scraped, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[int] = []

    def noted(moment: Moment) -> Iterator[Metric]:
        threads.append(threading.get_ident())
        return families_of(moment)

    monkeypatch.setattr(exposition, "families", noted)
    assert "vllm:" in scraped.text()
    assert threads
    assert threading.get_ident() not in threads


def test_what_is_shown_stands_still_while_the_counting_goes_on(
    scraped: Scraped,
) -> None:
    scraped.end(ended(started()))
    still = scraped.counts.copied()
    scraped.end(ended(started()))
    assert still.requests.total() == 1
    assert still.models["tiny"].generation_tokens == 150
    assert sum(still.models["tiny"].distributions[0].counts) == 1


def test_it_speaks_openmetrics_where_asked(scraped: Scraped) -> None:
    scraped.end(ended(started()))
    text = scraped.text("application/openmetrics-text; version=1.0.0")
    names = {family.name for family in open_families(text)}
    assert {"vllm:generation_tokens", "mlx_server_requests"} <= names


def test_what_is_our_own_is_shown_under_its_old_name_too_until_that_is_turned_off(
    scraped: Scraped,
) -> None:
    scraped.end(ended(started()))
    for accept in ("", "application/openmetrics-text; version=1.0.0"):
        parse = open_families if accept else text_string_to_metric_families
        shown = {family.name: family for family in parse(scraped.text(accept))}
        ours = {name for name in shown if name.startswith("mlx_server_")}
        assert len(ours) > 20
        assert {name for name in shown if name.startswith("mlxsite_")} == {
            name.replace("mlx_server_", "mlxsite_") for name in ours
        }
        for name in ours:
            old = shown[name.replace("mlx_server_", "mlxsite_")]
            assert (old.type, values(old)) == (shown[name].type, values(shown[name]))
    scraped.exposition.has_old_names = False
    assert "mlxsite_" not in scraped.text("")


def values(family: Metric) -> list[tuple[dict[str, str], float]]:
    return [(sample.labels, sample.value) for sample in family.samples]


def test_labels_may_hold_anything(scraped: Scraped) -> None:
    name = 'a "b"\\c\nd é'
    scraped.service.cards = ()
    scraped.end(ended(started(), model=name))
    ((labels, value),) = scraped.samples()["vllm:generation_tokens_total"]
    assert (labels["model_name"], value) == (name, 150)
