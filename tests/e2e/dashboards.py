"""The live dashboard's socket of a real server, opened as its page opens it."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
import websockets

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.e2e.servers import Server


async def log_in(server: Server) -> str:
    """Log the first staff user in; return the cookies."""
    url = f"{server.base_url}/admin/login/"
    async with httpx.AsyncClient(timeout=60) as client:
        await client.get(url)
        token = client.cookies["csrftoken"]
        form = {"username": "admin", "password": server.password()}
        form |= {"csrfmiddlewaretoken": token, "next": "/admin/live/"}
        answer = await client.post(url, data=form, headers={"Referer": url})
        assert answer.status_code == 302, answer.text
        return f"sessionid={client.cookies['sessionid']}"


class LiveSocket:
    """A dashboard: what it was told last, and what it asks for."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket

    async def hear(self) -> dict[str, Any]:
        """Return the next message."""
        message: dict[str, Any] = json.loads(await self._socket.recv())
        return message

    async def until(self, seen: Callable[[dict[str, Any]], Any]) -> Any:
        """Read updates until `seen(update)` is true, and return that."""
        while True:
            message = await self.hear()
            if message["type"] == "live" and (found := seen(message["now"])):
                return found

    async def request_in(self, *phases: str) -> dict[str, Any]:
        """Return the first request that is seen in one of these phases."""

        def seen(now: dict[str, Any]) -> dict[str, Any] | None:
            found = [r for r in now["requests"] if r["phase"] in phases]
            return found[-1] if found else None

        found: dict[str, Any] = await self.until(seen)
        return found

    async def cancel(self, request_id: str) -> bool:
        """Cancel a request; return whether there was one to cancel."""
        await self._socket.send(json.dumps({"type": "cancel", "id": request_id}))
        while (message := await self.hear())["type"] != "cancelled":
            pass
        return bool(message["done"])


@asynccontextmanager
async def dashboard(server: Server) -> AsyncIterator[LiveSocket]:
    """A dashboard of the first staff user."""
    headers = {"Cookie": await log_in(server)}
    address = server.base_url.replace("http", "ws") + "/ws/live"
    async with websockets.connect(
        address,
        additional_headers=headers,
        origin=server.base_url,  # type: ignore[arg-type]
    ) as socket:
        yield LiveSocket(socket)
