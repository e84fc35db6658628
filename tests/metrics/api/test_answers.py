"""What `/api/` answers, and what it refuses."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from inference.core.outcomes import Outcome
from metrics import histograms
from metrics.models import Rollup, ServerEventLog
from tests.metrics.api.cast import Reader, add_rows
from tests.metrics.cast import NOON, event

pytestmark = pytest.mark.usefixtures("record")


def add_rollup(**changes: Any) -> None:
    values = {
        "level": "hour",
        "at": datetime.fromtimestamp(NOON, UTC),
        "node": "node",
        "boot_id": "boot",
        "model": "tiny",
        "endpoint": "/v1/chat/completions",
        "requests": 3,
        "finished": 3,
        "ttft": histograms.counted((0.3, 0.3, 0.3), histograms.TTFT_S),
    }
    Rollup.objects.create(**values | changes)


def test_a_request_tells_what_the_row_holds(reader: Reader) -> None:
    add_rows(1, params={"temperature": 0.5}, warnings=("one",))
    (row,) = reader.get("/api/requests")["data"]
    whole = reader.get(f"/api/requests/{row['request_id']}")
    assert whole["params"] == {"temperature": 0.5}
    assert whole["warnings"] == row["warnings"] == ["one"]
    assert (row["outcome"], row["completion_tokens"], row["tps"]) == (
        "finished",
        150,
        100.0,
    )
    assert datetime.fromisoformat(row["started_at"]).timestamp() == NOON


@pytest.mark.parametrize("request_id", ["req-0", "a%00b", "%F0%9F%8E%89", "x" * 300])
def test_a_request_that_is_not_there_is_a_404(reader: Reader, request_id: str) -> None:
    status, error = reader.refusal(f"/api/requests/{request_id}")
    assert (status, error["code"]) == (404, "not_found")


def test_rollups_tell_sums_histograms_and_quantiles(reader: Reader) -> None:
    add_rollup()
    add_rollup(level="minute")
    body = reader.get("/api/rollups", level="hour")
    (rollup,) = body["data"]
    assert rollup["requests"] == 3
    assert len(rollup["ttft"]) == len(body["bounds"]["ttft"]) + 1
    assert 0.25 < rollup["quantiles"]["ttft"]["p50"] <= 0.5
    assert rollup["quantiles"]["queue"]["p99"] is None


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ({}, 2),
        ({"model": "tiny"}, 1),
        ({"model": "tiny,other"}, 2),
        ({"model": "none"}, 0),
        ({"key": "none"}, 2),
        ({"from": NOON + 1}, 0),
        ({"from": NOON, "to": NOON + 1}, 2),
        ({"to": NOON}, 0),
        ({"level": "day"}, 0),
        ({"node": "elsewhere"}, 0),
    ],
)
def test_rollups_can_be_narrowed(
    reader: Reader, asked: dict[str, Any], count: int
) -> None:
    add_rollup()
    add_rollup(model="other")
    assert len(reader.get("/api/rollups", **asked)["data"]) == count


def test_the_history_has_the_figures_of_its_rollups(reader: Reader) -> None:
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    add_rollup(at=hour)
    add_rollup(at=hour, boot_id="another", model="other")
    history = reader.get("/api/history", range="7d")
    assert history["totals"]["requests"] == 6
    of_tiny = reader.get("/api/history", range="7d", model="tiny")
    assert of_tiny["models"] == ["tiny"]
    assert sum(filter(None, of_tiny["requests"]["tiny"])) == 3


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ({"model": "tiny"}, 1),
        ({"model": r"a\,b"}, 1),
        ({"model": r"a\,b,tiny"}, 2),
        ({"model": "a,b"}, 0),
        ({"key": "none"}, 2),
        ({"from": "2027-01-15T10:00:00 02:00", "to": "2027-01-15T12:00+02:00"}, 2),
        ({"to": "2027-01-15T08:00:00Z"}, 0),
    ],
)
def test_the_list_and_the_history_read_a_filter_alike(
    reader: Reader, asked: dict[str, str], count: int
) -> None:
    for model in ("tiny", "a,b"):
        add_rows(1, model=model)
        add_rollup(level="minute", requests=1, model=model)
    assert len(reader.get("/api/requests", **asked)["data"]) == count
    span = {"to": "2027-01-15T10:00:00 00:00"} | asked
    assert reader.get("/api/history", **span)["totals"]["requests"] == count


@pytest.mark.parametrize(
    "asked",
    [
        {"from": "yesterday"},
        {"from": "200", "to": "100"},
        {"hours": "0"},
        {"hours": "1", "to": "100"},
        {"model": "x" * 256},
        {"key": "a\0b"},
    ],
)
def test_the_list_and_the_history_refuse_a_filter_in_the_same_words(
    reader: Reader, asked: dict[str, str]
) -> None:
    paths = ("requests", "history", "rollups")
    refusals = [reader.refusal(f"/api/{path}", **asked) for path in paths]
    assert refusals == [refusals[0]] * len(paths)
    assert refusals[0][0] == 400


def test_events_can_be_narrowed(reader: Reader) -> None:
    for kind in ("server_start", "worker_died"):
        ServerEventLog.from_event(event(kind=kind)).save()
    (found,) = reader.get("/api/events", kind="worker_died")["data"]
    assert found["kind"] == "worker_died"


def test_models_are_told_without_their_folders(reader: Reader) -> None:
    (model,) = reader.get("/api/models")["data"]
    assert (model["key"], model["state"], model["source"]) == ("tiny", "ready", None)


@pytest.mark.parametrize(
    ("path", "asked", "param"),
    [
        ("requests", {"modle": "x"}, "modle"),
        ("requests", {"limit": "0"}, "limit"),
        ("requests", {"limit": "1001"}, "limit"),
        ("requests", {"limit": "٣"}, "limit"),
        ("requests", {"outcome": "great"}, "outcome"),
        ("requests", {"from": "yesterday"}, "from"),
        ("requests", {"hours": "1", "to": "1"}, "hours"),
        ("requests", {"q": "x" * 300}, "q"),
        ("requests", {"user": "a\0b"}, "user"),
        ("rollups", {"level": "week"}, "level"),
        ("rollups", {"from": "nan"}, "from"),
        ("rollups", {"outcome": "failed"}, "outcome"),
        ("events", {"order": "up"}, "order"),
        ("events", {"hours": "1e9"}, "hours"),
        ("models", {"limit": "1"}, "limit"),
        ("history", {"range": "3d"}, "range"),
        ("history", {"outcome": "failed"}, "outcome"),
    ],
)
def test_a_parameter_that_means_nothing_is_refused_by_name(
    reader: Reader, path: str, asked: dict[str, str], param: str
) -> None:
    status, error = reader.refusal(f"/api/{path}", **asked)
    assert (status, error["param"]) == (400, param)
    assert param in error["message"]
    assert error["type"] == "invalid_request_error"


def test_it_answers_json_whatever_is_accepted(reader: Reader) -> None:
    add_rows(1, outcome=Outcome.FAILED)
    answer = reader.client.get("/api/requests", HTTP_ACCEPT="text/csv")
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/json"
