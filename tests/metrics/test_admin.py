"""The admin shows every request, and lets nobody change one."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import pytest
from django.urls import reverse
from django.utils import timezone

from inference.core.outcomes import FinishReason, Outcome, RequestKind
from metrics import pagination
from metrics.models import RequestLog, ServerEventLog
from metrics.selection import selection
from tests.metrics.cast import NOON, ended, event, started

if TYPE_CHECKING:
    from django.test import Client

LIST = reverse("admin:metrics_requestlog_changelist")
EVENTS = reverse("admin:metrics_servereventlog_changelist")

pytestmark = pytest.mark.django_db


def kept(**changes: Any) -> RequestLog:
    row = RequestLog.from_record(ended(started(), **changes))
    row.save()
    return row


def detail_url(row: RequestLog) -> str:
    return reverse("admin:metrics_requestlog_change", args=[row.pk])


def page(admin_client: Client, url: str, **parameters: str) -> str:
    response = admin_client.get(url, parameters)
    assert response.status_code == 200
    return response.content.decode()


def listed(admin_client: Client, **parameters: str) -> set[str]:
    """Return the request ids on the list that these parameters lead to."""
    response = admin_client.get(LIST, parameters)
    assert response.status_code == 200, response.headers
    return {row.request_id for row in response.context["cl"].result_list}


@pytest.mark.parametrize("outcome", list(Outcome))
def test_it_shows_each_outcome_as_a_chip(admin_client, outcome):
    row = kept(outcome=outcome, error="<script>alert(1)</script>")
    word = outcome.replace("_", " ")
    chip = f'<span class="chip" data-o="{outcome}">{word}</span>'
    for text in (page(admin_client, LIST), page(admin_client, detail_url(row))):
        assert chip in text
        assert "<script>alert" not in text


def test_it_shows_figures_phases_and_the_reason(admin_client):
    kept()
    kept(outcome=Outcome.FAILED, reason="worker_died", error="out of memory")
    text = page(admin_client, LIST)
    assert "20 → 150" in text
    assert "1.00 s" in text
    assert '<rect class="ph-decode"' in text
    assert "worker_died: out of memory" in text


def test_the_page_of_a_request_shows_all_of_it(admin_client):
    row = kept(
        outcome=Outcome.FAILED,
        reason="worker_died",
        error="out of memory",
    )
    RequestLog.objects.update(params={"temperature": 0.2, "stop": ["\n"]})
    text = page(admin_client, detail_url(row))
    assert row.request_id in text
    assert "first token, 1.00 s" in text
    assert "<code>worker_died</code>" in text
    assert "<pre>out of memory</pre>" in text
    assert "<code>[&quot;\\n&quot;]</code>" in text
    assert "5 from the cache, 25 %" in text


def test_a_request_tells_what_its_answer_had_to_be_and_was(admin_client):
    row = kept(
        choices=3,
        reasoning_tokens=30,
        tool_calls=2,
        structured="json_schema",
        finish_reason=FinishReason.TOOL_CALLS,
        warnings=("not enforced: <pattern>", "a description was cut"),
    )
    text = page(admin_client, detail_url(row))
    for name, value in (
        ("Choices", "3"),
        ("Structure", "json schema"),
        ("Tool calls", "2"),
        ("Finish reason", "tool calls"),
    ):
        assert f"<dt>{name}</dt><dd>{value}</dd>" in text
    assert "30 thinking, 20 %" in text
    assert "<dt>Ended by</dt><dd>tool calls</dd>" in text
    assert "<li>not enforced: &lt;pattern&gt;</li>" in text
    assert "<li>a description was cut</li>" in text
    assert "tool calls" in page(admin_client, LIST)


def test_a_refusal_tells_its_reason_in_words(admin_client):
    row = kept(
        outcome=Outcome.INVALID, reason="context_length_exceeded", finish_reason=""
    )
    text = page(admin_client, detail_url(row))
    assert "<dt>Ended by</dt><dd>context length exceeded</dd>" in text


def test_a_free_answer_without_warnings_says_so_in_few_words(admin_client):
    text = page(admin_client, detail_url(kept()))
    assert "<dt>Structure</dt><dd>free</dd>" in text
    assert "Warnings" not in text
    assert "thinking" not in text


@pytest.mark.parametrize("outcome", list(Outcome))
def test_a_request_without_any_figure_has_a_page_too(admin_client, outcome):
    row = RequestLog.from_record(started(outcome=outcome))
    row.save()
    assert row.request_id in page(admin_client, detail_url(row))
    assert listed(admin_client) == {row.request_id}


def test_nobody_can_change_or_delete_or_add_a_row(admin_client):
    row = kept()
    app = "admin:metrics_requestlog"
    assert admin_client.get(reverse(f"{app}_add")).status_code == 403
    assert admin_client.post(detail_url(row), {"model": "x"}).status_code == 403
    delete = reverse(f"{app}_delete", args=[row.pk])
    assert admin_client.post(delete, {"post": "yes"}).status_code == 403
    action = {"action": "delete_selected", "_selected_action": [row.pk]}
    admin_client.post(LIST, action)
    assert RequestLog.objects.get().model == "tiny"


def test_the_record_is_for_staff_only(client):
    assert client.get(LIST).status_code == 302
    assert client.get(detail_url(kept())).status_code == 302


def test_it_filters(admin_client):
    now = timezone.now().timestamp()
    old = kept(started_at=now - timedelta(days=2).total_seconds())
    new = kept(
        started_at=now - 60,
        outcome=Outcome.FAILED,
        reason="worker_died",
        finish_reason="",
        model="other",
        kind=RequestKind.VISION,
    )
    plain = kept(started_at=now - 7200, kind=RequestKind.OTHER, finish_reason="")
    everything = {old.request_id, new.request_id, plain.request_id}
    assert listed(admin_client) == everything
    assert listed(admin_client, hours="1") == {new.request_id}
    assert listed(admin_client, hours="24") == {new.request_id, plain.request_id}
    assert listed(admin_client, outcome="failed") == {new.request_id}
    assert listed(admin_client, outcome="failed,finished") == everything
    assert listed(admin_client, model="other") == {new.request_id}
    assert listed(admin_client, kind="vision") == {new.request_id}
    assert listed(admin_client, kind="none") == {plain.request_id}
    assert listed(admin_client, finish_reason=FinishReason.STOP) == {old.request_id}
    assert listed(admin_client, reason="worker_died") == {new.request_id}
    assert listed(admin_client, reason="none") == everything - {new.request_id}
    assert listed(admin_client, model="never seen") == set()


def test_it_filters_by_structure_tool_calls_and_warnings(admin_client):
    plain = kept().request_id
    left_out = ("a keyword was left out",)
    schema = kept(structured="json_schema", warnings=left_out).request_id
    calls = kept(structured="tool_call", tool_calls=2, warnings=("a", "b")).request_id
    assert listed(admin_client, structured="json_schema") == {schema}
    assert listed(admin_client, structured="none") == {plain}
    assert listed(admin_client, tool_calls="yes") == {calls}
    assert listed(admin_client, tool_calls="no") == {plain, schema}
    assert listed(admin_client, warnings="yes") == {schema, calls}
    assert listed(admin_client, warnings="no") == {plain}
    text = page(admin_client, LIST)
    for choice in ("json schema", "regex", "lark", "tool call", "free"):
        assert f">{choice}</option>" in text


def test_a_filter_that_makes_no_sense_is_told_and_nothing_is_shown(admin_client):
    kept()
    for name, value in (
        ("hours", "nonsense"),
        ("warnings", "maybe"),
        ("outcome", "broken"),
        ("from", "yesterday"),
        ("min_tps", "-1"),
    ):
        assert listed(admin_client, **{name: value}) == set()
        text = page(admin_client, LIST, **{name: value})
        assert f"Nothing is shown. Invalid &#x27;{name}&#x27;: " in text
        assert "A filter is not valid." in text


def test_a_link_to_the_charts_carries_only_what_charts_can_be_filtered_by(admin_client):
    kept(model="a,b")
    params = {"model": r"a\,b", "outcome": "failed", "hours": "24", "q": "x"}
    text = unescape(page(admin_client, LIST, **params))
    (link,) = re.findall(r'href="/admin/history/\?([^"]+)"', text)
    assert dict(parse_qsl(link)) == {"model": r"a\,b", "hours": "24"}


def test_each_active_filter_is_a_chip_that_takes_it_away(admin_client):
    kept(model="other", outcome=Outcome.FAILED)
    text = page(admin_client, LIST, model="other", outcome="failed", min_tps="3")
    assert (
        '<a class="pill" href="?model=other&amp;min_tps=3">'
        '<span class="visually-hidden">Remove filter: </span>failed</a>'
    ) in text
    assert text.count('class="pill"') == 3
    assert "Clear all" in text
    assert 'class="pill"' not in page(admin_client, LIST)


def test_the_filter_column_shows_what_is_chosen(admin_client):
    kept(model="other", key_name="ci,bot")
    text = page(
        admin_client,
        LIST,
        model="gone,other",
        key="ci\\,bot",
        outcome="failed",
        min_ttft_s="0.5",
        to="2027-01-15T08:00:00.250Z",
    )
    assert '<option value="gone,other" selected>gone or other</option>' in text
    assert '<option value="ci\\,bot" selected>ci,bot</option>' in text
    assert 'name="outcome" value="failed" checked' in text
    assert 'name="min_ttft_s" value="0.5"' in text
    assert 'name="to" step="any" value="2027-01-15T08:00:00.250"' in text


def test_pages_lead_to_older_rows_and_back(admin_client):
    ids = [kept(started_at=NOON + second // 2).request_id for second in range(120)]
    newest = admin_client.get(LIST).context["cl"]
    seen, addresses, changes = [], [], newest
    while True:
        seen.append([row.request_id for row in changes.result_list])
        addresses.append(changes.newer_link)
        if not changes.older_link:
            break
        changes = admin_client.get(LIST + changes.older_link).context["cl"]
    assert [len(rows) for rows in seen] == [50, 50, 20]
    assert [one for rows in seen for one in rows] == ids[::-1]
    assert not addresses[0]
    back = admin_client.get(LIST + addresses[2]).context["cl"]
    assert [row.request_id for row in back.result_list] == seen[1]
    first = admin_client.get(LIST + addresses[1]).context["cl"]
    assert [row.request_id for row in first.result_list] == seen[0]
    assert not first.newer_link


def test_pages_keep_the_filters(admin_client):
    for second in range(60):
        kept(started_at=NOON + second, model="other" if second % 2 else "tiny")
    changes = admin_client.get(LIST, {"model": "tiny,gone"}).context["cl"]
    assert len(changes.result_list) == 30
    kept(model="tiny", started_at=NOON - 5)
    for _ in range(30):
        kept(model="tiny", started_at=NOON - 10)
    changes = admin_client.get(LIST, {"model": "tiny,gone"}).context["cl"]
    older = admin_client.get(LIST + changes.older_link).context["cl"]
    assert {row.model for row in older.result_list} == {"tiny"}
    assert len(older.result_list) == 11


@pytest.mark.parametrize("place", ["x", "", "1", "99999999999999999-1", "-1-1"])
def test_a_place_that_is_none_leads_to_the_newest(admin_client, place):
    row = kept()
    assert listed(admin_client, older=place) == {row.request_id}
    assert "“older” is not a place in this list" in page(
        admin_client, LIST, older=place
    )


def test_what_has_no_index_is_looked_for_among_the_newest_and_the_page_says_so(
    admin_client, monkeypatch
):
    monkeypatch.setattr(selection, "SIFTED_ROWS", 3)
    rows = [kept(started_at=NOON + at, tps=float(at)).request_id for at in range(6)]
    assert listed(admin_client, max_tps="4") == {rows[4], rows[3], rows[2]}
    response = admin_client.get(LIST, {"max_tps": "4"})
    text = response.content.decode()
    assert "Searched the newest 3 requests, back to" in text
    beyond = response.context["cl"].beyond_link
    older = admin_client.get(LIST + beyond).context["cl"].result_list
    assert [row.request_id for row in older] == [rows[1], rows[0]]
    assert "Searched" not in page(admin_client, LIST, model="tiny")


def test_it_finds_a_request_by_id_and_by_error_text(admin_client):
    kept()
    row = kept(outcome=Outcome.FAILED, error="Out of memory on the GPU")
    assert listed(admin_client, q=row.request_id) == {row.request_id}
    assert listed(admin_client, q=row.request_id[:20]) == {row.request_id}
    assert listed(admin_client, q="out of memory") == {row.request_id}
    assert listed(admin_client, q="nothing like it") == set()
    text = page(admin_client, LIST, q="nothing like it")
    assert "No match." in text


def test_it_says_what_will_appear_where_nothing_is_yet(admin_client):
    assert "requests appear here as they happen" in page(admin_client, LIST)


def test_a_longer_list_takes_no_more_queries(
    admin_client, django_assert_max_num_queries
):
    for _ in range(3):
        kept()
    with django_assert_max_num_queries(10) as few:
        page(admin_client, LIST)
    for _ in range(45):
        kept()
    with django_assert_max_num_queries(len(few)):
        page(admin_client, LIST)


def test_it_never_counts_the_whole_table(
    admin_client, django_assert_max_num_queries, monkeypatch
):
    monkeypatch.setattr(pagination, "COUNT_LIMIT", 60)
    for _ in range(70):
        kept()
    with django_assert_max_num_queries(8) as queries:
        text = page(admin_client, LIST, q="")
    counts = [one["sql"] for one in queries if "COUNT(" in one["sql"]]
    assert len(counts) == 1
    assert "LIMIT 61" in counts[0]
    assert "over 60 requests" in text


def test_no_page_needs_inline_styles_or_scripts(admin_client):
    row = kept()
    happened = ServerEventLog.from_event(event())
    happened.save()
    event_url = reverse("admin:metrics_servereventlog_change", args=[happened.pk])
    home, login = reverse("admin:index"), reverse("admin:login")
    for url in (LIST, detail_url(row), EVENTS, event_url, home, login):
        text = admin_client.get(url, follow=True).content.decode()
        assert not re.search(r"\sstyle=", text), url
        assert "<style" not in text, url
        assert not re.search(r"<script(?![^>]*\bsrc=)", text), url
        assert not re.search(r"\son\w+=", text), url
        assert not re.search(r'(?:src|href)="(?:https?:)?//', text), url


def test_it_lists_server_events(admin_client):
    ServerEventLog.from_event(event(detail="loaded in 7 s")).save()
    text = page(admin_client, EVENTS)
    assert "model load" in text
    assert "loaded in 7 s" in text


def test_events_are_filtered_by_model_and_kind(admin_client):
    ServerEventLog.from_event(event(model="tiny", detail="loaded in 7 s")).save()
    ServerEventLog.from_event(event(kind="server_start", detail="version 1")).save()
    text = page(admin_client, EVENTS, model="tiny")
    assert "loaded in 7 s" in text
    assert "version 1" not in text
    text = page(admin_client, EVENTS, model="none")
    assert "version 1" in text
    assert "loaded in 7 s" not in text
    assert "version 1" not in page(admin_client, EVENTS, kind__exact="model_load")
