"""Benchmarks in the admin: who may see and delete them, and what their pages tell."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from django.urls import reverse

from metrics.figures import NOTHING
from metrics.models import BenchRun
from tests.metrics.bench_runs import level, put_compared, put_run
from tests.metrics.dashboards import make_user

if TYPE_CHECKING:
    from django.test import Client

LIST = "/admin/metrics/benchrun/"
VIEW, DELETE = "metrics.view_benchrun", "metrics.delete_benchrun"

pytestmark = pytest.mark.django_db


def page(client: Client, address: str, **query: str) -> str:
    answer = client.get(address, query)
    assert answer.status_code == 200
    return answer.content.decode()


def charted(text: str) -> list[dict[str, Any]]:
    """Return what the charts of a page draw."""
    found = re.search(r'<script id="bench-runs"[^>]*>(.*?)</script>', text, re.S)
    assert found
    runs: list[dict[str, Any]] = json.loads(found[1])
    return runs


def test_only_staff_with_the_right_see_benchmarks(client: Client) -> None:
    put_run()
    client.force_login(make_user("nobody"))
    assert client.get(LIST).status_code == 403
    client.force_login(make_user("ann", VIEW))
    assert '<a href="/admin/metrics/benchrun/" aria-current="page">Bench</a>' in page(
        client, LIST
    )


def test_who_may_only_view_cannot_delete_add_or_change(client: Client) -> None:
    run = put_run()
    client.force_login(make_user("ann", VIEW))
    assert client.post(f"{LIST}{run.pk}/delete/", {"post": "yes"}).status_code == 403
    assert client.get(f"{LIST}add/").status_code == 403
    assert client.post(f"{LIST}{run.pk}/change/", {"note": "x"}).status_code == 403
    client.force_login(make_user("bob", VIEW, DELETE))
    client.post(f"{LIST}{run.pk}/delete/", {"post": "yes"})
    assert not BenchRun.objects.exists()


def test_the_list_tells_each_run_in_figures(admin_client: Client) -> None:
    put_compared(note="after lunch")
    put_run(5)
    text = re.sub(r"<[^>]+>", " ", page(admin_client, LIST))
    told = re.sub(r"\s+", " ", text).replace(NOTHING, "-")
    assert (
        "small 90.0 at 8 11.1 ms at 8 11.1 ms at 8 1.25 \N{MULTIPLICATION SIGN} at 8 2 after lunch"
        in told
    )
    assert "small 90.0 at 8 50 ms at 1 50 ms at 1 - - - studio" in told


def test_filters_and_search_narrow_list_and_charts(admin_client: Client) -> None:
    one = put_run(3, model="small")
    two = put_compared(2, model="large", note="tuned")
    far = put_run(1, model="large", node="mini", is_near=False)

    def found(**query: str) -> list[int]:
        return [run["id"] for run in charted(page(admin_client, LIST, **query))]

    assert found() == [far.pk, two.pk, one.pk]
    assert found(model="large") == [far.pk, two.pk]
    assert found(node="mini") == [far.pk]
    assert found(against="yes") == [two.pk]
    assert found(against="no") == [far.pk, one.pk]
    assert found(q="tuned") == [two.pk]


def test_the_charts_get_each_level_of_both_servers(admin_client: Client) -> None:
    put_compared()
    (run,) = charted(page(admin_client, LIST))
    assert run["other"] == "127.0.0.1:8081"
    assert [point["concurrency"] for point in run["levels"]] == [8]
    assert run["levels"][0]["tokens_per_s"] == 90.0
    assert run["against"][0]["ttft"] == pytest.approx(1 / 72)


def test_a_run_without_a_single_answer_has_pages_too(admin_client: Client) -> None:
    nothing = dict.fromkeys(("ttft", "inter_token", "chunk_gap", "total"))
    failed = level(1, 1.0, errors=8, tokens_per_s=0.0, first_error="503: full")
    run = put_run(levels=[failed | nothing])
    put_run(levels=[])
    assert "8" in page(admin_client, LIST)
    text = page(admin_client, f"{LIST}{run.pk}/change/")
    assert "8 failed" in text
    assert "503: full" in text


def test_the_page_of_a_run_tells_levels_pairs_machine_and_versions(
    admin_client: Client,
) -> None:
    run = put_compared(is_near=False)
    text = page(admin_client, reverse("admin:metrics_benchrun_change", args=[run.pk]))
    told = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text)).replace(NOTHING, "-")
    assert "8 at a time" in told
    assert "127.0.0.1:8081 72.0 tok/s, 8 requests, 2 failed" in told
    assert "1 this 90.0 75.0 1.20 0.80 0.90 -" in told
    assert "2 other 90.0 75.0" in told
    assert "median 1.25 1.25 1.25 -" in told
    assert "Processor M3 Cores 12 Memory 36.00 GB" in told
    assert "the server runs elsewhere" in told
    assert "mlx 0.32.4" in told


def test_no_text_of_a_run_becomes_markup(admin_client: Client) -> None:
    evil = "</script><img src=x onerror=alert(1)>"
    run = put_compared(note=evil, model=evil, node=evil)
    for address in (LIST, f"{LIST}{run.pk}/change/"):
        text = page(admin_client, address)
        assert "<img src=x" not in text
        assert "<b>out</b>" not in text
        assert charted(text)[0]["label"] == evil


def test_texts_are_cut_to_what_every_database_holds() -> None:
    run = put_run(note="n" * 500, model="a\0b", levels=[level(1, 1, first_error="\0")])
    run.refresh_from_db()
    assert len(run.note) == 200
    assert run.model == "a\ufffdb"
    assert run.levels[0]["first_error"] == "\ufffd"


def test_an_empty_list_names_the_command(admin_client: Client) -> None:
    assert "<code>mlx-server bench MODEL</code>" in page(admin_client, LIST)


def test_comparing_without_scripts_keeps_filters_and_names_the_runs(
    admin_client: Client,
) -> None:
    runs = [put_run(2), put_run(1)]
    answer = admin_client.post(
        f"{LIST}?model=small",
        {"action": "compare", "_selected_action": [run.pk for run in runs]},
    )
    keys = ",".join(str(run.pk) for run in reversed(runs))
    assert answer["Location"] == f"{LIST}?model=small#runs={keys}"
