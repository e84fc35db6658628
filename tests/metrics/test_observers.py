"""Who listens to requests: all are told, and the log speaks as it always did."""

from __future__ import annotations

import logging

from inference.core.outcomes import Outcome, Phase, RequestKind
from metrics.completion_log import CompletionLog
from metrics.observers import Observers
from metrics.totals import Totals
from tests.metrics.cast import ended, event, started


class Deaf:
    """An observer that fails at everything."""

    def request_started(self, record):
        raise RuntimeError("no")

    request_finished = server_event = request_started


class Attentive:
    """An observer that remembers what it heard."""

    def __init__(self) -> None:
        self.heard: list[object] = []

    def request_started(self, record):
        self.heard.append(record)

    request_finished = server_event = request_started


def test_an_observer_that_fails_breaks_no_other(caplog):
    before, after = Attentive(), Attentive()
    observers = Observers((before, Deaf(), after))
    record, happening = started(), event()
    observers.request_started(record)
    observers.request_finished(record)
    observers.server_event(happening)
    assert before.heard == after.heard == [record, record, happening]
    assert caplog.text.count("An observer failed") == 3


def test_it_logs_a_finished_generation_in_five_lines(caplog):
    totals = Totals()
    slower = ended(started(), completion_tokens=41, total_s=1.0, queue_s=0.5, tps=82.0)
    record = ended(started(), kind=RequestKind.VISION_STREAM)
    with caplog.at_level(logging.INFO, "mlx_server.requests"):
        totals.request_finished(slower)
        observers = Observers((totals, CompletionLog(totals)))
        observers.request_finished(record)
    assert caplog.messages == [
        "Request completed: vision_stream\n"
        "Tokens: 150 (words: 75, chars: 450)\n"
        "Time: 1.50s\n"
        "TPS: 100.00\n"
        "Avg TPS: 95.50"
    ]


def test_it_logs_other_ends_in_one_line(caplog):
    log = CompletionLog(Totals())
    failed = ended(started(), outcome=Outcome.FAILED, reason="worker_died")
    refused = ended(
        started(),
        outcome=Outcome.REJECTED,
        reason="queue_full",
        phase=Phase.QUEUED,
        kind=RequestKind.OTHER,
    )
    with caplog.at_level(logging.INFO, "mlx_server.requests"):
        log.request_finished(failed)
        log.request_finished(refused)
    assert caplog.messages == [
        f"Request failed: text_stream (worker_died, decode) {failed.request_id}",
        "Request rejected: /v1/chat/completions (queue_full, queued) "
        f"{refused.request_id}",
    ]


def test_it_keeps_to_the_level_that_was_set(caplog):
    log = CompletionLog(Totals())
    with caplog.at_level(logging.WARNING, "mlx_server.requests"):
        log.request_finished(ended(started()))
        log.request_finished(ended(started(), outcome=Outcome.FAILED, reason="hang"))
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_it_is_silent_about_what_generates_nothing(caplog):
    log = CompletionLog(Totals())
    with caplog.at_level(logging.INFO, "mlx_server.requests"):
        log.request_finished(ended(started(), kind=RequestKind.OTHER, admitted=False))
    assert caplog.messages == []
