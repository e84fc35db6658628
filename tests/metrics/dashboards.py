"""Dashboards as tests open them: a house to watch, a socket, staff and their cookies."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import Permission, User
from django.test import Client

from metrics.routing import websocket_urlpatterns

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HOST = "testserver"
OWN = f"http://{HOST}"
PATIENCE_S = 60.0


def make_user(name: str = "ann", *rights: str, is_staff: bool = True) -> User:
    """Return a user with these rights, each `app.codename`."""
    user = User.objects.create_user(name, is_staff=is_staff)
    for right in rights:
        app, codename = right.split(".")
        found = Permission.objects.get(content_type__app_label=app, codename=codename)
        user.user_permissions.add(found)
    return user


def cookie_of(user: User) -> str:
    """Return what a browser sends once `user` has logged in."""
    client = Client()
    client.force_login(user)
    return f"sessionid={client.cookies['sessionid'].value}"


class Dashboard:
    """One page's connection."""

    def __init__(self, cookie: str = "", origin: str = OWN) -> None:
        headers = {"host": HOST, "origin": origin, "cookie": cookie}
        self.wire = WebsocketCommunicator(
            URLRouter(websocket_urlpatterns),
            "/ws/live",
            headers=[(k.encode(), v.encode()) for k, v in headers.items() if v],
        )

    async def opened(self) -> tuple[bool, Any]:
        """Try to connect; return whether it was accepted, and the code if not."""
        return await self.wire.connect(timeout=PATIENCE_S)

    async def hear(self) -> dict[str, Any]:
        """Return the next message."""
        heard: dict[str, Any] = await self.wire.receive_json_from(timeout=PATIENCE_S)
        return heard

    async def hear_now(self) -> dict[str, Any]:
        """Return the next update's contents."""
        while (message := await self.hear())["type"] != "live":
            pass
        now: dict[str, Any] = message["now"]
        return now

    async def say(self, **message: Any) -> dict[str, Any]:
        """Send a message and return the answer to it."""
        await self.wire.send_to(text_data=json.dumps(message))
        while (answer := await self.hear())["type"] == "live":
            pass
        return answer

    async def heard_within(self, seconds: float) -> int:
        """Return how many messages come within a time."""
        count = 0
        try:
            async with asyncio.timeout(seconds):
                while True:
                    await self.wire.output_queue.get()
                    count += 1
        except TimeoutError:
            return count

    async def closing_code(self) -> int:
        """Return the code that the server closes with."""
        while True:
            message = await self.wire.receive_output(timeout=PATIENCE_S)
            if message["type"] == "websocket.close":
                return int(message["code"])


@asynccontextmanager
async def watching(cookie: str) -> AsyncIterator[Dashboard]:
    """A dashboard that was let in; it leaves at the end."""
    dashboard = Dashboard(cookie)
    accepted, code = await dashboard.opened()
    assert accepted, code
    try:
        yield dashboard
    finally:
        await dashboard.wire.disconnect(timeout=PATIENCE_S)
