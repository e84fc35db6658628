"""Requests leave as files, in batches, and spreadsheets run nothing of them."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from inference.core.outcomes import Outcome
from metrics.exports import COLUMNS, ExportFormat, chunks
from metrics.models import RequestLog
from tests.metrics.cast import NOON, ended, started

if TYPE_CHECKING:
    from django.test import Client

EXPORT = reverse("admin:metrics_export")


def kept(name: str, at_s: float = 0.0, **changes: Any) -> RequestLog:
    record = started(request_id=name, started_at=NOON + at_s)
    row = RequestLog.from_record(ended(record, **changes))
    row.save()
    return row


def pieces(form: ExportFormat, *, batch_rows: int = 500) -> list[str]:
    async def collect() -> list[str]:
        rows = RequestLog.objects.all()
        return [one.decode() async for one in chunks(rows, form, batch_rows=batch_rows)]

    return async_to_sync(collect)()


def body_of(response: Any) -> str:
    async def collect() -> bytes:
        return b"".join([piece async for piece in response])

    return async_to_sync(collect)().decode()


def csv_rows() -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO("".join(pieces(ExportFormat.CSV)))))


@pytest.mark.usefixtures("database")
class TestBatches:
    """What comes out, on each kind of database."""

    def test_each_row_comes_once_newest_first_whatever_the_batches(self) -> None:
        # Three start at the same moment: a batch may end between them.
        for number in range(10):
            kept(f"r{number}", number // 3)
        expected = [f"r{number}" for number in range(9, -1, -1)]
        for batch_rows in (1, 3, 5, 10, 11):
            lines = "".join(pieces(ExportFormat.JSON_LINES, batch_rows=batch_rows))
            names = [json.loads(line)["request_id"] for line in lines.splitlines()]
            assert names == expected

    def test_no_piece_and_no_query_holds_more_than_a_batch(self) -> None:
        for number in range(10):
            kept(f"r{number}", number)
        with CaptureQueriesContext(connection) as queries:
            found = pieces(ExportFormat.JSON_LINES, batch_rows=4)
        assert [len(piece.splitlines()) for piece in found] == [4, 4, 2]
        assert len(queries) == 3
        assert all("LIMIT 4" in query["sql"] for query in queries)

    def test_an_empty_file_still_names_its_columns(self) -> None:
        assert "".join(pieces(ExportFormat.CSV)).strip() == ",".join(COLUMNS)
        assert pieces(ExportFormat.JSON_LINES) == []


@pytest.mark.django_db
class TestForms:
    """The three kinds of file."""

    @pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r"])
    def test_a_cell_that_begins_like_a_formula_is_defused(self, begin: str) -> None:
        kept("a", user=f"{begin}cmd|' /C calc'!A0", error="plain")
        (row,) = csv_rows()
        assert row["user"] == f"'{begin}cmd|' /C calc'!A0"
        assert row["error"] == "plain"

    def test_csv_keeps_lines_quotes_and_numbers(self) -> None:
        kept("a", error='two\nlines, "quoted"', params={"stop": ["\n"]}, ttft_s=None)
        (row,) = csv_rows()
        assert row["error"] == 'two\nlines, "quoted"'
        assert json.loads(row["params"]) == {"stop": ["\n"]}
        assert (row["prompt_tokens"], row["ttft_s"], row["stream"]) == (
            "20",
            "",
            "true",
        )
        assert row["started_at"] == "2027-01-15T08:00:00+00:00"

    def test_json_lines_hold_every_column(self) -> None:
        kept("a", user="zoë")
        (line,) = "".join(pieces(ExportFormat.JSON_LINES)).splitlines()
        row = json.loads(line)
        assert tuple(row) == COLUMNS
        assert "id" not in row
        assert (row["user"], row["ttft_s"], row["tags"]) == ("zoë", 1.0, {})

    def test_spans_bear_the_names_of_opentelemetry(self) -> None:
        kept(
            "a",
            params={"temperature": 0.2, "stop": "x"},
            session_id="s",
            tags={"t": "1"},
        )
        kept(
            "b", 1, outcome=Outcome.FAILED, reason="worker_died", error="out of memory"
        )
        failed, done = map(json.loads, "".join(pieces(ExportFormat.OTEL)).splitlines())
        attributes = done["attributes"]
        assert done["name"] == "chat tiny"
        assert done["start_time_unix_nano"] == int(NOON) * 10**9
        assert done["end_time_unix_nano"] == int(NOON + 2) * 10**9
        expected = {
            "gen_ai.operation.name": "chat",
            "gen_ai.response.model": "tiny",
            "gen_ai.response.id": "a",
            "gen_ai.request.temperature": 0.2,
            "gen_ai.request.stop_sequences": ["x"],
            "gen_ai.request.stream": True,
            "gen_ai.usage.input_tokens": 20,
            "gen_ai.usage.output_tokens": 150,
            "gen_ai.usage.cache_read.input_tokens": 5,
            "gen_ai.response.finish_reasons": ["stop"],
            "gen_ai.response.time_to_first_chunk": 1.0,
            "gen_ai.conversation.id": "s",
            "mlx_server.tag.t": "1",
        }
        assert expected.items() <= attributes.items()
        assert "error.type" not in attributes
        assert done["status"] == {}
        assert failed["attributes"]["error.type"] == "worker_died"
        assert failed["status"] == {"code": "ERROR", "message": "out of memory"}


@pytest.mark.django_db
class TestDoor:
    """The address behind the buttons of the list."""

    def test_it_exports_what_the_list_shows(self, admin_client: Client) -> None:
        kept("a", model="other")
        kept("b", 1)
        response = admin_client.get(EXPORT, {"model": "other", "format": "csv"})
        assert response.status_code == 200
        assert response["Content-Type"] == "text/csv; charset=utf-8"
        assert 'filename="requests-' in response["Content-Disposition"]
        text = body_of(response)
        assert [row["request_id"] for row in csv.DictReader(io.StringIO(text))] == ["a"]

    @pytest.mark.parametrize(
        ("params", "said"),
        [
            ({}, "format: must be one of csv, jsonl, otel"),
            ({"format": "xml"}, "format: must be one of csv, jsonl, otel"),
            ({"format": "csv", "hours": "x"}, "Invalid 'hours': “x” is not a number."),
        ],
    )
    def test_it_refuses_what_it_does_not_understand(
        self, admin_client: Client, params: dict[str, str], said: str
    ) -> None:
        response = admin_client.get(EXPORT, params)
        assert response.status_code == 400
        assert response.content.decode() == said + "\n"

    def test_it_is_for_staff_who_may_see_requests(
        self, client: Client, django_user_model: Any
    ) -> None:
        assert client.get(EXPORT, {"format": "csv"}).status_code == 302
        django_user_model.objects.create_user("clerk", password="x", is_staff=True)
        client.login(username="clerk", password="x")
        assert client.get(EXPORT, {"format": "csv"}).status_code == 403
        assert client.get(reverse("admin:metrics_keys")).status_code == 403
