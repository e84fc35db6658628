"""`/` and `/chat/`: who asks, how the server stands, and the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async
from django.http.request import split_domain_port
from django.shortcuts import render
from django.urls import path, reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from inference.runtime.app import App, NotInstalledError, current_app
from mlxsite import __version__
from mlxsite.pages.server_status import server_status
from mlxsite.pages.snippets import snippets_for
from mlxsite.pages.visitors import Visitor, visitor_of
from mlxsite.startup.network import is_loopback

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

CHAT_SOCKET = "/ws/chat"


@never_cache
@require_safe
async def home(request: HttpRequest) -> HttpResponse:
    """Say where to point a client, and what to do first. Its script asks for it again."""
    app = _app()
    visitor = await visitor_of(request, app)
    status = await server_status(app, visitor)
    base_url = request.build_absolute_uri("/v1")
    model = status.subject.key if status.subject else ""
    context = {
        "status": status,
        "base_url": base_url,
        "is_local_address": is_loopback(split_domain_port(request.get_host())[0]),
        "snippets": snippets_for(base_url, model=model, needs_key=visitor.needs_key),
        **_shared(visitor, title="Home"),
    }
    return await _render(request, "site/home.html", context)


@never_cache
@require_safe
async def chat(request: HttpRequest) -> HttpResponse:
    """Show the frame of a conversation; its script talks over the socket."""
    visitor = await visitor_of(request, _app())
    context = {"socket": CHAT_SOCKET, **_shared(visitor, title="Chat")}
    return await _render(request, "site/chat.html", context)


# Reading and filling templates takes longer than the loop may stand still.
_render = sync_to_async(render)


def _app() -> App | None:
    try:
        return current_app()
    except NotInstalledError:
        return None


def _shared(visitor: Visitor, *, title: str) -> dict[str, Any]:
    return {
        "visitor": visitor,
        "title": title,
        "version": __version__,
        "login_url": reverse("admin:login"),
    }


urlpatterns = [
    path("", home, name="home"),
    path("chat/", chat, name="chat"),
]
