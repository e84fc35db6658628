"""Who guesses passwords is soon refused, unread, and nobody else is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

import mlxsite.pages.login
from inference.runtime.unauthenticated import MinuteBudget
from mlxsite.pages.login import FailedLogins

if TYPE_CHECKING:
    from django.http import HttpResponse

pytestmark = pytest.mark.django_db(transaction=True)

HERE, THERE = "192.0.2.7", "192.0.2.8"
MOST = 3


class Clock:
    """A minute that passes when it is told to."""

    now = 60.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Clock:
    """A login of its own for each test, with few attempts."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    clock = Clock()
    budget = MinuteBudget(MOST, clock=clock)
    monkeypatch.setattr(mlxsite.pages.login, "attempts", budget)
    monkeypatch.setattr(mlxsite.pages.login, "failures", FailedLogins())
    return clock


@pytest.fixture(autouse=True)
def ada(clock: Clock) -> None:
    User.objects.create_superuser("ada", password="right")


def attempt(password: str, host: str = HERE) -> HttpResponse:
    said = {"username": "ada", "password": password}
    return Client(REMOTE_ADDR=host).post("/admin/login/?next=/admin/", said)  # type: ignore[return-value]


def test_after_some_failures_not_even_the_right_password_is_read(
    clock: Clock,
) -> None:
    for _ in range(MOST):
        assert attempt("wrong").status_code == 200
    refused = attempt("right")
    assert refused.status_code == 429
    assert 0 < int(refused["Retry-After"]) <= 60
    assert "try again in" in refused.content.decode()
    assert attempt("right", THERE).status_code == 302

    clock.now += 60
    assert attempt("right").status_code == 302


def test_logins_that_succeed_count_for_nothing() -> None:
    for _ in range(3 * MOST):
        assert attempt("right").status_code == 302
    assert attempt("wrong").status_code == 200


def test_the_form_is_shown_to_whoever_asks_for_it() -> None:
    for _ in range(MOST + 1):
        attempt("wrong")
    assert Client().get("/admin/login/").status_code == 200
