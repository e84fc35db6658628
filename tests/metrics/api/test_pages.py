"""Pages of a growing table: every row once, at a bounded price, on both databases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from inference.core.outcomes import Outcome
from metrics.models import RequestLog, ServerEventLog
from tests.metrics.api.cast import Reader, add_rows
from tests.metrics.cast import NOON, event

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    MostQueries = Callable[[int], AbstractContextManager[Any]]

pytestmark = pytest.mark.usefixtures("record")

PATH = "/api/requests"


def ids(rows: list[Any]) -> list[str]:
    return [row["request_id"] for row in rows]


def test_pages_hold_every_row_once_though_many_began_at_once(reader: Reader) -> None:
    add_rows(7, step=0)
    add_rows(6, at=NOON + 10, step=0)
    found = [row for page in reader.pages(PATH, limit=4) for row in ids(page)]
    in_order = RequestLog.objects.newest_first().values_list("request_id", flat=True)
    assert found == list(in_order)
    assert len(found) == len(set(found)) == 13


def test_rows_that_arrive_between_two_pages_shift_nothing(reader: Reader) -> None:
    add_rows(10)
    before = set(RequestLog.objects.values_list("request_id", flat=True))
    found = []
    for page in reader.pages(PATH, limit=3):
        found += ids(page)
        # Newer ones, one from the same instant, and one that came in late.
        add_rows(2, at=NOON + 100)
        add_rows(1, at=NOON + 9)
    assert len(found) == len(set(found))
    assert before <= set(found)


def test_the_last_page_says_that_it_is_the_last(reader: Reader) -> None:
    add_rows(4)
    first = reader.get(PATH, limit=2)
    assert (first["object"], first["has_more"]) == ("list", True)
    last = reader.get(PATH, limit=2, cursor=first["next_cursor"])
    assert len(last["data"]) == 2
    assert (last["has_more"], last["next_cursor"]) == (False, None)


def test_a_page_takes_one_query_however_many_rows_it_has(
    reader: Reader, django_assert_num_queries: MostQueries
) -> None:
    add_rows(50)
    cursor = reader.get(PATH, limit=10)["next_cursor"]
    with django_assert_num_queries(1):
        assert len(reader.get(PATH, limit=20, cursor=cursor)["data"]) == 20
    with django_assert_num_queries(1):
        assert len(reader.get(PATH, outcome="finished", limit=50)["data"]) == 50
    # One more to see how far back the rows may be looked through.
    with django_assert_num_queries(2):
        assert len(reader.get(PATH, min_total_s=1, limit=50)["data"]) == 50


def test_a_row_takes_one_query(
    reader: Reader, django_assert_num_queries: MostQueries
) -> None:
    add_rows(1)
    (row,) = reader.get(PATH)["data"]
    with django_assert_num_queries(1):
        whole = reader.get(f"{PATH}/{row['request_id']}")
    assert whole["request_id"] == row["request_id"]
    assert set(whole) - set(row) == {"params", "defaults", "refusal"}


def test_a_filter_without_an_index_is_followed_page_by_page(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    defaults = {"sifted_rows": 5}
    monkeypatch.setattr(
        "metrics.selection.selection.Selection.horizon.__kwdefaults__", defaults
    )
    add_rows(3, total_s=9.0)
    add_rows(20, at=NOON + 100)
    add_rows(2, at=NOON + 200, total_s=9.0)
    pages = [ids(page) for page in reader.pages(PATH, min_total_s=5, limit=10)]
    slow = RequestLog.objects.newest_first().filter(total_s=9.0)
    assert [one for page in pages for one in page] == list(
        slow.values_list("request_id", flat=True)
    )
    # Some of them were looked through in vain.
    assert [] in pages


@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_events_can_be_read_from_either_end(reader: Reader, order: str) -> None:
    for number in range(7):
        row = ServerEventLog.from_event(event(at=NOON + number // 2, model=str(number)))
        row.save()
    pages = reader.pages("/api/events", limit=3, order=order)
    found = [row["model"] for page in pages for row in page]
    expected = [str(number) for number in range(7)]
    assert found == (expected if order == "oldest" else expected[::-1])


def test_filters_mean_the_same_on_every_page(reader: Reader) -> None:
    add_rows(5)
    add_rows(5, at=NOON + 50, outcome=Outcome.FAILED, reason="worker_died")
    asked = {"outcome": "failed", "from": NOON, "to": NOON + 54, "limit": 3}
    found = [row for page in reader.pages(PATH, **asked) for row in page]
    assert [row["outcome"] for row in found] == ["failed"] * 4


@pytest.mark.parametrize(
    "cursor",
    [
        *("x", "AAAA", "W10=", "WzEsMl0", "bnVsbA==", "é", "WyJhIiwxXQ==", "\x00"),
        # Numbers beyond every date and every id.
        "Wzk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OSwxXQ==",
        "WzFlMzA4LDFd",
    ],
)
def test_a_cursor_that_is_none_is_refused_by_name(reader: Reader, cursor: str) -> None:
    status, error = reader.refusal(PATH, cursor=cursor)
    assert (status, error["param"]) == (400, "cursor")


def test_an_id_beyond_every_id_is_harmless(reader: Reader) -> None:
    add_rows(1)
    # [0, 99999999999999999999999]
    assert reader.get(PATH, cursor="WzAsOTk5OTk5OTk5OTk5OTk5OTk5OTk5OTld")["data"] == []
