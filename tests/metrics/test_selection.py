"""One set of parameters says which requests, in SQL, in links and in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from inference.core.outcomes import FinishReason, Outcome, RequestKind
from metrics.models import RequestLog
from metrics.selection import PARAMETERS, Selection, SelectionError
from tests.metrics.cast import NOON, ended, started

SINCE = datetime.fromtimestamp(NOON, UTC)


def kept(name: str, at_s: float = 0.0, **changes: object) -> None:
    record = ended(started(request_id=name, started_at=NOON + at_s), **changes)
    RequestLog.from_record(record).save()


def selected(**params: str) -> list[str]:
    """Return the ids that these parameters select, newest first."""
    renamed = {name.rstrip("_"): text for name, text in params.items()}
    rows = Selection.parse(renamed).apply(RequestLog.objects.newest_first())
    return [row.request_id for row in rows]


@pytest.mark.usefixtures("database")
class TestRows:
    """What is selected, on each kind of database."""

    def test_from_is_inclusive_and_to_exclusive(self) -> None:
        for second in range(4):
            kept(f"r{second}", second)
        assert selected(from_=str(NOON + 1), to=str(NOON + 3)) == ["r2", "r1"]
        iso = (SINCE + timedelta(seconds=2)).isoformat()
        assert selected(from_=iso) == ["r3", "r2"]
        assert selected(from_=iso.replace("+", " ")) == ["r3", "r2"]

    def test_hours_count_from_now(self) -> None:
        now = timezone.now().timestamp() - NOON
        kept("old", now - 7200)
        kept("new", now - 60)
        assert selected(hours="1") == ["new"]
        assert selected(hours="0.01") == []
        assert selected(hours="3") == ["new", "old"]

    def test_a_column_may_hold_one_of_several_values(self) -> None:
        kept("a", 1, model="tiny", outcome=Outcome.FAILED, reason="worker_died")
        kept("b", 2, model="a,b", key_name="none", user="anna")
        kept("c", 3, model="", kind=RequestKind.OTHER, finish_reason="")
        assert selected(model="tiny") == ["a"]
        assert selected(model="tiny,none") == ["c", "a"]
        assert selected(model="a\\,b") == ["b"]
        assert selected(key="\\none") == ["b"]
        assert selected(key="none") == ["c", "a"]
        assert selected(outcome="failed,finished", user="anna") == ["b"]
        assert selected(reason="worker_died", model="tiny,x") == ["a"]
        assert selected(kind="none") == ["c"]
        assert selected(finish_reason=FinishReason.STOP) == ["b", "a"]

    def test_ranges_leave_out_what_has_no_figure(self) -> None:
        kept("slow", 1, ttft_s=9.0, tps=2.0, prompt_tokens=10)
        kept("quick", 2, ttft_s=0.1, tps=80.0, prompt_tokens=900)
        kept("none", 3, ttft_s=None, tps=None, prompt_tokens=None)
        assert selected(min_ttft_s="1") == ["slow"]
        assert selected(max_ttft_s="1") == ["quick"]
        assert selected(min_prompt_tokens="10", max_prompt_tokens="10") == ["slow"]
        assert selected(min_tps="2", max_tps="80.0") == ["quick", "slow"]

    def test_it_searches_id_error_user_and_session(self) -> None:
        whole = "req-" + "0" * 32
        kept(whole, 1, user="Anna 50%")
        kept("b", 2, error="Out of memory", session_id="build_7")
        assert selected(q=whole) == [whole]
        assert selected(q="REQ-000") == [whole]
        assert selected(q="anna") == [whole]
        assert selected(q="50%") == [whole]
        assert selected(q="of mem") == ["b"]
        assert selected(q="build_7") == ["b"]
        assert selected(q="build%7") == []

    def test_it_tells_rows_with_and_without_calls_and_warnings(self) -> None:
        kept("plain", 1)
        kept("calls", 2, tool_calls=2, warnings=("left out",), structured="regex")
        assert selected(tool_calls="yes") == ["calls"]
        assert selected(warnings="no") == ["plain"]
        assert selected(structured="none") == ["plain"]

    def test_what_needs_sifting_reaches_back_to_a_horizon(self) -> None:
        for second in range(6):
            kept(f"r{second}", second, ttft_s=float(second), model="tiny")
        kept("other", 9, model="other", ttft_s=1.0)
        rows = RequestLog.objects.newest_first()
        sifting = Selection.parse({"model": "tiny", "max_ttft_s": "4"})
        with CaptureQueriesContext(
            connection,
        ) as queries:
            horizon = sifting.horizon(rows, sifted_rows=3)
        assert len(queries) == 1
        assert horizon == SINCE + timedelta(seconds=2)
        found = [row.request_id for row in sifting.apply(rows, horizon=horizon)]
        assert found == ["r4", "r3", "r2"]
        assert sifting.horizon(rows, sifted_rows=6) is None

    def test_what_an_index_answers_has_no_horizon(self) -> None:
        rows = RequestLog.objects.newest_first()
        for params in ({"model": "tiny"}, {"hours": "1"}, {"q": "req-" + "0" * 32}):
            selection = Selection.parse(params)
            with CaptureQueriesContext(connection) as queries:
                assert selection.horizon(rows, sifted_rows=1) is None
            assert len(queries) == 0


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"from": "yesterday"}, "'from': “yesterday” is neither an ISO 8601 time"),
        ({"from": "99999999999"}, "'from': must lie between 1970 and 2100"),
        ({"to": "9999-12-31T23:59:59+00:00"}, "'to': must lie between 1970 and 2100"),
        ({"from": "0001-01-01"}, "'from': "),
        ({"from": "200", "to": "200"}, "'to': must be later than from"),
        ({"hours": "nan"}, "'hours': must lie between 0 and 87,600"),
        ({"hours": "1e9"}, "'hours': must lie between 0 and 87,600"),
        ({"hours": "0"}, "'hours': must be more than 0"),
        ({"hours": "1", "to": "200"}, "'hours': cannot be combined with from or to"),
        ({"outcome": "broken"}, "'outcome': “broken” is not one of running, finished"),
        ({"model": "x" * 256}, "is longer than 255 characters"),
        ({"model": ",".join(map(str, range(51)))}, "'model': has more than 50 values"),
        ({"user": "a\0b"}, "'user': contains a NUL character"),
        ({"min_ttft_s": "fast"}, "'min_ttft_s': “fast” is not a number"),
        ({"max_tps": "-1"}, "'max_tps': must lie between 0 and 1,000,000"),
        ({"min_prompt_tokens": "1.5"}, "'min_prompt_tokens': must be a whole number"),
        ({"min_tps": "9", "max_tps": "8"}, "'max_tps': must not be less than min_tps"),
        ({"warnings": "maybe"}, "'warnings': must be yes or no, not “maybe”"),
        ({"q": "x" * 201}, "'q': is longer than 200 characters"),
    ],
)
def test_it_names_the_parameter_that_is_wrong(params: dict[str, str], said: str):
    with pytest.raises(SelectionError) as caught:
        Selection.parse(params)
    assert said in str(caught.value)
    assert caught.value.param in params
    assert caught.value.message == str(caught.value)


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"hours": "24"},
        {"hours": "0.5"},
        {"from": "2027-01-15T08:00:00Z", "to": "2027-01-15T08:00:00.250000Z"},
        {"model": "a\\,b,none", "key": "\\none", "outcome": "failed,timed_out"},
        {"min_ttft_s": "0.25", "max_prompt_tokens": "100", "tool_calls": "no"},
        {"q": "50%, or \\ so"},
    ],
)
def test_its_parameters_lead_back_to_it(params: dict[str, str]):
    selection = Selection.parse(params)
    written = selection.to_params()
    assert Selection.parse(written) == selection
    assert Selection.parse(written).to_params() == written
    assert set(written) == set(params)
    assert set(written) <= {each.name for each in PARAMETERS}


def test_a_parameter_that_stands_twice_is_a_list():
    assert Selection.parse(QueryDict("model=a&model=b,c")) == Selection.parse(
        {"model": "c,b,a"}
    )


def test_parameters_of_others_are_left_alone():
    assert Selection.parse({"cursor": "x", "format": "csv", "o": "1"}) == Selection()


def test_it_says_itself_in_words():
    day = timezone.localtime().replace(hour=14, minute=0, second=0, microsecond=0)
    params = {
        "outcome": "timed_out,failed",
        "model": "qwen3",
        "from": day.isoformat(),
        "to": (day + timedelta(hours=1)).isoformat(),
    }
    said = "failed or timed out, model qwen3, 14:00 to 15:00"
    assert Selection.parse(params).text == said
    assert Selection().text == ""


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"hours": "1"}, "last hour"),
        ({"hours": "168"}, "last 7 days"),
        ({"hours": "0.25"}, "last 15 minutes"),
        ({"from": "2020-05-06T07:08:09"}, "since 6 May 2020 07:08:09"),
        ({"to": "2020-05-06"}, "before 6 May 2020 00:00"),
        ({"min_ttft_s": "2"}, "TTFT at least 2 s"),
        ({"max_tps": "5.5"}, "speed at most 5.5 tok/s"),
        (
            {"min_prompt_tokens": "1000", "max_prompt_tokens": "8192"},
            "tokens in 1,000 to 8,192",
        ),
        ({"key": "none"}, "key none"),
        ({"kind": "none"}, "type other"),
        ({"reason": "queue_full"}, "error code queue_full"),
        ({"warnings": "yes"}, "with warnings"),
        ({"q": "of memory"}, "“of memory”"),
    ],
)
def test_each_condition_has_words(params: dict[str, str], said: str):
    assert Selection.parse(params).text == said


def test_each_chip_knows_the_selection_without_it():
    params = {"hours": "1", "model": "tiny", "min_tps": "3", "q": "x"}
    chips = Selection.parse(params).chips()
    names = {"time": "hours", "tps": "min_tps"}
    for chip in chips:
        left = set(params) - {names.get(chip.name, chip.name)}
        assert set(chip.others.to_params()) == left
    assert len(chips) == len(params)
