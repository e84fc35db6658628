"""Pages of the site may load their own files and nothing else."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import AsyncClient, Client, RequestFactory

from mlxsite.content_security import content_security
from tests.conftest import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path


def directives(answer: HttpResponse) -> dict[str, str]:
    policy = answer.headers["Content-Security-Policy"]
    return dict(part.strip().split(" ", 1) for part in policy.split(";"))


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path", ["/admin/", "/admin/login/", "/admin/history/", "/admin/nothing/", "/"]
)
def test_every_page_of_the_site_says_what_it_may_load(path: str) -> None:
    browser = Client(headers={"host": "localhost:8000"})
    User.objects.create_superuser("staff")
    browser.force_login(User.objects.get())
    said = directives(browser.get(path))
    assert said["default-src"] == said["object-src"] == said["base-uri"] == "'none'"
    assert said["frame-ancestors"] == "'none'"
    assert said["script-src"] == said["style-src"] == said["form-action"] == "'self'"
    assert said["connect-src"] == "'self' ws://localhost:8000"
    assert said["img-src"] == "'self' data:"


@pytest.mark.django_db
async def test_it_is_said_of_asynchronous_answers_as_well() -> None:
    answer = await AsyncClient(headers={"host": "localhost"}).get("/admin/login/")
    assert directives(answer)["script-src"] == "'self'"


async def test_it_takes_no_thread() -> None:
    threads = []

    async def view(request: object) -> HttpResponse:
        threads.append(threading.get_ident())
        return HttpResponse()

    wrapped = content_security(view)
    answer = await wrapped(RequestFactory(headers={"host": "localhost"}).get("/"))
    assert threads == [threading.get_ident()]
    assert "Content-Security-Policy" in answer.headers


def test_the_websocket_of_a_page_over_https_is_secure() -> None:
    wrapped = content_security(lambda request: HttpResponse())
    request = RequestFactory(headers={"host": "localhost"}).get("/", secure=True)
    assert directives(wrapped(request))["connect-src"] == "'self' wss://localhost"


def test_our_own_templates_hold_nothing_inline() -> None:
    """The policy would break them, silently where nobody looks at the console."""
    templates = list((REPOSITORY / "templates").rglob("*.html"))
    assert templates
    inline = re.compile(
        r"""\sstyle=|\son[a-z]+=|<style|<script(?![^>]*\ssrc=)|javascript:"""
    )
    faults = [path.name for path in templates if inline.search(_text(path))]
    assert faults == []


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")
