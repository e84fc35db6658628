"""Prompts and answers: kept where asked, redacted first, never instead of the row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from inference.core.events import RequestBodies
from metrics.models import RequestBody, RequestLog
from metrics.recorder import Keeping
from metrics.recorder.redaction import RedactorError, find_redactor
from tests.metrics.cast import NOON, ended, recording, started

if TYPE_CHECKING:
    from pathlib import Path

SAID = {
    "messages": [{"role": "user", "content": [{"type": "text", "text": "s\0cret"}]}]
}


def bodies(request_id: str = "req-1") -> RequestBodies:
    return RequestBodies(
        request_id=request_id,
        started_at=NOON,
        prompt=SAID,
        answer=[{"index": 0, "content": "fine"}],
    )


def without_answer(given: RequestBodies) -> RequestBodies:
    """A redactor as an operator would write it."""
    return msgspec.structs.replace(given, answer="(redacted)")


def nothing(_: RequestBodies) -> None:
    """A redactor that keeps nothing."""


def broken(_: RequestBodies) -> RequestBodies:
    """A redactor with a mistake in it."""
    raise RuntimeError("oh no")


@pytest.mark.usefixtures("database")
def test_a_body_is_kept_once(tmp_path: Path) -> None:
    with recording(tmp_path) as recorder:
        recorder.request_bodies(bodies())
        recorder.request_bodies(bodies())
        assert recorder.flush()
        assert recorder.refused_total == 0
    row = RequestBody.objects.get()
    assert (row.prompt or {})["messages"][0]["content"][0]["text"] == "s\ufffdcret"
    assert row.answer == [{"index": 0, "content": "fine"}]
    assert row.started_at.timestamp() == NOON


@pytest.mark.usefixtures("database")
def test_a_redactor_changes_what_is_kept(tmp_path: Path) -> None:
    redact = find_redactor("tests.metrics.test_bodies.without_answer")
    with recording(tmp_path, keeping=Keeping(redact)) as recorder:
        recorder.request_bodies(bodies())
    assert RequestBody.objects.get().answer == "(redacted)"


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("redact", [nothing, broken])
def test_a_redactor_that_keeps_nothing_or_fails_costs_no_row(
    tmp_path: Path, redact: object
) -> None:
    keeping = Keeping(redact)  # type: ignore[arg-type]
    with recording(tmp_path, keeping=keeping) as recorder:
        recorder.request_bodies(bodies())
        recorder.request_finished(ended(started()))
        assert recorder.flush()
        assert recorder.refused_total == 0
    assert not RequestBody.objects.exists()
    assert RequestLog.objects.count() == 1


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("no.such.module", "cannot be imported (ModuleNotFoundError"),
        ("tests.metrics.test_bodies.missing", "cannot be imported (AttributeError"),
        ("tests.metrics.test_bodies.SAID", "cannot be called"),
        ("word", "cannot be imported (ValueError"),
    ],
)
def test_a_redactor_that_is_not_there_is_refused_by_name(name: str, why: str) -> None:
    with pytest.raises(RedactorError, match="BODY_REDACTOR") as refused:
        find_redactor(name)
    assert why in str(refused.value)


def test_without_a_name_there_is_no_redactor() -> None:
    assert find_redactor("") is None
