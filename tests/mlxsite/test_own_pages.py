"""A session of staff is of use to pages of this server, and to no others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import User
from django.test import AsyncClient, Client

from inference.runtime.app import install_app
from tests.metrics.api.cast import KEY, open_doors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

pytestmark = pytest.mark.django_db

PATHS = (
    "/api/requests",
    "/api/schema",
    "/admin/history/data",
    "/admin/metrics/requestlog/export/?format=jsonl",
    "/admin/metrics/requestlog/",
)
LINK = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
FRAME = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}
FOREIGN: list[dict[str, str]] = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://testserver:3000"},
    {"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", **FRAME},
]
OWN: list[dict[str, str]] = [
    {},
    {"Origin": "http://testserver"},
    {"Origin": "https://ui.example"},
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none", **LINK},
    {"Sec-Fetch-Site": "cross-site", **LINK},
]


@pytest.fixture
def member(settings: Any) -> Iterator[Client]:
    """The browser of one who is logged in to the admin."""
    settings.CSRF_TRUSTED_ORIGINS = ["https://ui.example"]
    open_doors(key=KEY)
    member = Client(headers={"host": "testserver"})
    member.force_login(User.objects.create_superuser("ada"))
    yield member
    install_app(None)


@pytest.mark.parametrize("sent", FOREIGN)
def test_a_page_from_elsewhere_gets_nothing_by_the_cookie(
    member: Client, sent: Mapping[str, str]
) -> None:
    for path in PATHS:
        answer = member.get(path, headers=sent)
        assert answer.status_code == 403, path
        assert answer.json()["error"]["code"] == "cross_site_request"


@pytest.mark.parametrize("sent", OWN)
def test_pages_of_this_server_and_links_to_it_work(
    member: Client, sent: Mapping[str, str]
) -> None:
    for path in PATHS:
        assert member.get(path, headers=sent).status_code == 200, path


def test_a_form_of_another_page_changes_nothing(member: Client) -> None:
    sent = {"Sec-Fetch-Site": "same-site", **LINK}
    answer = member.post("/admin/logout/", headers=sent)
    assert answer.status_code == 403
    assert member.get("/admin/").status_code == 200


async def test_it_is_asked_of_asynchronous_requests_as_well(settings: Any) -> None:
    member = AsyncClient()
    member.cookies["sessionid"] = "0"
    answer = await member.get("/", headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
