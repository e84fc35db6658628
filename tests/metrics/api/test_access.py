"""Who may read `/api/` and `/metrics`: keys, staff, this machine, and nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from inference.runtime.app import install_app
from tests.metrics.api.cast import ELSEWHERE, KEY, METRICS_KEY, open_doors

if TYPE_CHECKING:
    from collections.abc import Mapping

PATHS = tuple(
    f"/api/{name}"
    for name in ("requests", "history", "rollups", "events", "schema", "nothing")
)

HERE: dict[str, Any] = {"REMOTE_ADDR": "127.0.0.1"}
HERE_6: dict[str, Any] = {"REMOTE_ADDR": "::1"}
THERE: dict[str, Any] = {"REMOTE_ADDR": ELSEWHERE}
PROXIED: dict[str, Any] = {**HERE, "HTTP_X_FORWARDED_FOR": ELSEWHERE}
BEARER = {"HTTP_AUTHORIZATION": f"Bearer {KEY}"}
X_API_KEY = {"HTTP_X_API_KEY": KEY}
WRONG = {"HTTP_AUTHORIZATION": "Bearer wrong"}
SCRAPER = {"HTTP_AUTHORIZATION": f"Bearer {METRICS_KEY}"}
FOREIGN = {"HTTP_ORIGIN": "https://evil.example"}
CROSS_SITE = {"HTTP_SEC_FETCH_SITE": "cross-site"}


@pytest.mark.parametrize(
    ("key", "sent", "status"),
    [
        ("", HERE, 200),
        ("", HERE_6, 200),
        ("", THERE, 403),
        ("", PROXIED, 403),
        ("", {**HERE, **FOREIGN}, 403),
        ("", {**HERE, **CROSS_SITE}, 403),
        (KEY, HERE, 401),
        (KEY, THERE, 401),
        (KEY, {**HERE, **WRONG}, 401),
        (KEY, {**THERE, **WRONG}, 401),
        (KEY, {**THERE, **BEARER}, 200),
        (KEY, {**THERE, **X_API_KEY}, 200),
        (KEY, {**PROXIED, **BEARER}, 200),
        (KEY, {**HERE, **BEARER, **FOREIGN}, 403),
    ],
)
@pytest.mark.django_db
def test_api_lets_in_holders_of_the_key_and_without_one_this_machine(
    key: str, sent: Mapping[str, Any], status: int
) -> None:
    open_doors(key=key)
    for path in PATHS:
        answer = Client().get(path, **sent)
        expected = 404 if status == 200 and path == "/api/nothing" else status
        assert answer.status_code == expected, path
        if expected != 200:
            error = answer.json()["error"]
            assert set(error) == {"message", "type", "param", "code"}
        if expected == 401:
            assert answer["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("keys", "sent", "status"),
    [
        ({}, HERE, 200),
        ({}, THERE, 403),
        ({}, PROXIED, 403),
        ({}, {**HERE, **CROSS_SITE}, 403),
        ({"key": KEY}, HERE, 200),
        ({"key": KEY}, PROXIED, 401),
        ({"key": KEY}, THERE, 401),
        ({"key": KEY}, {**THERE, **BEARER}, 200),
        ({"key": KEY}, {**HERE, **WRONG}, 401),
        ({"metrics_key": METRICS_KEY}, HERE, 401),
        ({"metrics_key": METRICS_KEY}, {**THERE, **SCRAPER}, 200),
        ({"key": KEY, "metrics_key": METRICS_KEY}, {**HERE, **BEARER}, 401),
        ({"key": KEY, "metrics_key": METRICS_KEY}, {**THERE, **SCRAPER}, 200),
        ({"key": KEY, "metrics_key": METRICS_KEY}, {**HERE, **SCRAPER, **FOREIGN}, 403),
    ],
)
def test_metrics_lets_in_scrapers(
    keys: Mapping[str, str], sent: Mapping[str, Any], status: int
) -> None:
    open_doors(**keys)
    answer = Client().get("/metrics", **sent)
    assert answer.status_code == status
    if status == 200:
        assert answer.content == b"asked 1\n"
        assert answer["Content-Type"].startswith("text/plain; version=0.0.4")
    else:
        assert answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("staff", "permissions", "status"),
    [
        ({"is_superuser": True, "is_staff": True}, (), 200),
        ({"is_staff": True}, ("view_requestlog",), 200),
        ({"is_staff": True}, ("view_servereventlog",), 401),
        ({"is_staff": True}, (), 401),
        ({}, ("view_requestlog",), 401),
        ({"is_staff": True, "is_superuser": True, "is_active": False}, (), 401),
    ],
)
@pytest.mark.django_db
def test_staff_read_what_they_may_see_in_the_admin(
    staff: Mapping[str, bool], permissions: tuple[str, ...], status: int
) -> None:
    open_doors(key=KEY)
    user = User.objects.create_user("ada", **staff)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    assert client.get("/api/requests").status_code == status


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options"])
@pytest.mark.django_db
def test_nothing_can_be_changed(method: str) -> None:
    open_doors()
    client = Client()
    for path in ("/api/requests", "/api/models"):
        answer = getattr(client, method)(path)
        assert answer.status_code == 405
        assert answer.json()["error"]["code"] == "method_not_allowed"
        assert answer["Allow"] == "GET, HEAD"


def test_metrics_is_only_read() -> None:
    open_doors()
    answer = Client().post("/metrics")
    assert answer.status_code == 405
    assert answer["Allow"] == "GET, HEAD"


@pytest.mark.django_db
def test_it_says_so_where_no_server_runs() -> None:
    install_app(None)
    answer = Client().get("/api/models")
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "model_unavailable"
