"""Requests as files: CSV, JSON lines, and JSON lines in OpenTelemetry's words.

A file of any length takes the memory of one batch: rows are fetched by their place in
the index, batch by batch, in a thread, so the event loop is never held up.
"""

from __future__ import annotations

import csv
import io
import json
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async
from django.http import StreamingHttpResponse
from django.utils import timezone

from metrics.models import RequestLog
from metrics.otel import span_of
from metrics.pagination import Cursor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from django.db.models import QuerySet

BATCH_ROWS = 500
COLUMNS = tuple(
    field.attname
    for field in RequestLog._meta.concrete_fields  # noqa: SLF001 -- documented Django API
    if field.attname != "id"
)
# A spreadsheet takes a cell that begins so for a formula.
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


class ExportFormat(StrEnum):
    """What a file can be."""

    CSV = "csv"
    JSON_LINES = "jsonl"
    OTEL = "otel"

    @property
    def content_type(self) -> str:
        """Its media type."""
        if self is ExportFormat.CSV:
            return "text/csv; charset=utf-8"
        return "application/x-ndjson"

    @property
    def ending(self) -> str:
        """How the name of its file ends."""
        return "csv" if self is ExportFormat.CSV else "jsonl"

    def written(self, rows: Iterable[RequestLog]) -> str:
        """Write some rows."""
        return _WRITERS[self](rows)

    @property
    def head(self) -> str:
        """What stands before all rows."""
        return _csv_text([COLUMNS]) if self is ExportFormat.CSV else ""


def export_response(
    rows: QuerySet[RequestLog], form: ExportFormat, *, batch_rows: int = BATCH_ROWS
) -> StreamingHttpResponse:
    """Answer with all of `rows`, newest first, as a file."""
    name = f"requests-{timezone.now():%Y%m%d-%H%M%S}.{form.ending}"
    return StreamingHttpResponse(
        chunks(rows, form, batch_rows=batch_rows),
        content_type=form.content_type,
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        },
    )


async def chunks(
    rows: QuerySet[RequestLog], form: ExportFormat, *, batch_rows: int = BATCH_ROWS
) -> AsyncIterator[bytes]:
    """Yield the file in pieces, each of at most `batch_rows` rows."""
    if form.head:
        yield form.head.encode()
    place: Cursor | None = None
    while True:
        text, place = await sync_to_async(_batch)(rows, form, place, batch_rows)
        if text:
            yield text.encode()
        if place is None:
            return


def _batch(
    rows: QuerySet[RequestLog], form: ExportFormat, place: Cursor | None, size: int
) -> tuple[str, Cursor | None]:
    """Return the rows behind `place` as text, and where to go on."""
    behind = place.older(rows) if place else rows.order_by("-started_at", "-id")
    found = list(behind[:size])
    more = Cursor.of(found[-1]) if len(found) == size else None
    return form.written(found), more


def to_json(row: RequestLog) -> dict[str, Any]:
    """Return all columns of a row as JSON values; times in ISO 8601."""
    return {name: _plain(getattr(row, name)) for name in COLUMNS}


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value


def _to_cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULAS) else value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False) if value else ""
    return str(_plain(value))


def _csv_text(lines: Iterable[Iterable[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(lines)
    return text.getvalue()


def _to_csv(rows: Iterable[RequestLog]) -> str:
    return _csv_text([_to_cell(getattr(row, name)) for name in COLUMNS] for row in rows)


def _json_lines(values: Iterable[dict[str, Any]]) -> str:
    return "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values)


_WRITERS: dict[ExportFormat, Callable[[Iterable[RequestLog]], str]] = {
    ExportFormat.CSV: _to_csv,
    ExportFormat.JSON_LINES: lambda rows: _json_lines(map(to_json, rows)),
    ExportFormat.OTEL: lambda rows: _json_lines(map(span_of, rows)),
}
