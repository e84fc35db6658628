"""The data of the history page, through the front door."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tests.metrics.history_rows import request, rollups, save

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Answer

pytestmark = pytest.mark.django_db
DATA = "/admin/history/data"


def client(**user: Any) -> Client:
    person = User.objects.create_user("somebody", **user)
    browser = Client()
    browser.force_login(person)
    return browser


def fetch(browser: Client, path: str = DATA, **parameters: str) -> Answer:
    return browser.get(path, parameters, headers={"host": "localhost"})


def test_it_gives_the_series_as_json_that_nobody_keeps() -> None:
    at = timezone.now() - timedelta(minutes=5)
    save(rollups([request(random.Random(1), at, model="mine")]))
    answer = fetch(client(is_staff=True, is_superuser=True), range="1h")
    body = answer.json()
    assert sum(filter(None, body["requests"]["mine"])) == 1
    assert len(body["at"]) == len(body["up"]) == len(body["ttft"]["p50"]) == 60
    assert "no-store" in answer.headers["Cache-Control"]


def test_a_bad_parameter_is_a_400_that_names_it() -> None:
    answer = fetch(client(is_staff=True, is_superuser=True), range="2h")
    assert answer.status_code == 400
    assert answer.json()["error"] == {
        "message": "Invalid 'range': must be one of 1h, 24h, 7d, 30d, 90d.",
        "param": "range",
    }


@pytest.mark.parametrize("path", ["/admin/history/", DATA])
def test_it_is_for_staff_who_may_see_requests(path: str) -> None:
    assert fetch(Client(), path).status_code == 302
    browser = client(is_staff=True)
    assert fetch(browser, path).status_code == 403
    may = Permission.objects.get(codename="view_requestlog")
    User.objects.get().user_permissions.add(may)
    assert fetch(browser, path).status_code == 200
    User.objects.update(is_staff=False)
    assert fetch(browser, path).status_code == 302


def test_the_navigation_leads_to_the_pages_that_one_may_see() -> None:
    browser = client(is_staff=True)
    User.objects.get().user_permissions.add(
        Permission.objects.get(codename="view_servereventlog")
    )
    page = fetch(browser, "/admin/").content.decode()
    assert reverse("admin:metrics_servereventlog_changelist") in page
    assert 'href="/admin/history/"' not in page
    User.objects.update(is_superuser=True)
    page = fetch(browser, "/admin/history/").content.decode()
    assert '<a href="/admin/history/" aria-current="page">History</a>' in page
    for name in ("metrics_requestlog", "inference_modelentry", "auth_user"):
        assert f'href="{reverse(f"admin:{name}_changelist")}"' in page
