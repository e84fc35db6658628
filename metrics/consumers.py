"""The live dashboard's WebSocket at /ws/live: owns one page's connection.

Updates are sent from a task, one at a time: while a page does not read, the send
waits, and the next one carries the newest state.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer

from inference.runtime.app import NotInstalledError, current_app
from metrics.live import LiveBoard, board_of
from metrics.staff import Staff, is_own_page, session_key, staff_of

if TYPE_CHECKING:
    from collections.abc import Coroutine

FOREIGN_ORIGIN = 4403
SIGNED_OUT = 4401
NOT_SERVING = 4503
TOO_MANY = 4429
SESSION_CHECK_S = 30.0
MESSAGE_CHARS = 1_000
# At most four updates a second.
UPDATE_GAP_S = 0.25


class Command(msgspec.Struct):
    """What a page may ask for."""

    type: Literal["cancel", "ping"]
    id: str = ""


class LiveConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """One dashboard. Only staff get this far; who no longer is loses it."""

    board: LiveBoard
    staff: Staff
    session: str
    session_check_s = SESSION_CHECK_S

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve the connection; nothing of it outlives it."""
        self._tasks: list[asyncio.Task[None]] = []
        with ExitStack() as self._held:
            try:
                await super().__call__(scope, receive, send)
            finally:
                for task in self._tasks:
                    task.cancel()
                await asyncio.gather(*self._tasks, return_exceptions=True)

    async def connect(self) -> None:
        """Accept staff on a page of this server; refuse everybody else."""
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in self.scope["headers"]
        }
        if not is_own_page(headers):
            await self.close(FOREIGN_ORIGIN)
            return
        self.session = session_key(headers)
        if not await self._is_staff():
            await self.close(SIGNED_OUT)
            return
        try:
            self.board = board_of(current_app())
        except NotInstalledError:
            await self.close(NOT_SERVING)
            return
        if self.board.is_full:
            await self.close(TOO_MANY)
            return
        self._held.enter_context(self.board.watching())
        await self.accept()
        self._begin(self._send_updates())
        self._begin(self._watch_session())

    async def receive(
        self, text_data: str | None = None, bytes_data: bytes | None = None
    ) -> None:
        """Read one message and do what its type says."""
        if text_data is None or len(text_data) > MESSAGE_CHARS:
            await self._say(type="error", message="Expected a short text message.")
            return
        try:
            command = msgspec.json.decode(text_data, type=Command)
        except msgspec.DecodeError as error:
            await self._say(type="error", message=str(error))
            return
        if command.type == "ping":
            await self._say(type="pong")
        else:
            await self._cancel(command.id)

    async def _cancel(self, request_id: str) -> None:
        if not self.staff.may_cancel:
            message = (
                "You may watch, but not cancel: that takes the right to change models."
            )
            await self._say(type="error", message=message)
            return
        done = self.board.app.running.cancel(request_id, by=self.staff.name)
        await self._say(type="cancelled", id=request_id, done=done)

    async def _send_updates(self) -> None:
        number = 0
        while True:
            number, text = await self.board.after(number)
            await self.send(text)
            # A page that was slow gets no two in a row either.
            await asyncio.sleep(UPDATE_GAP_S)

    async def _watch_session(self) -> None:
        while True:
            await asyncio.sleep(self.session_check_s)
            if not await self._is_staff():
                await self.close(SIGNED_OUT)
                return

    async def _is_staff(self) -> bool:
        staff = await database_sync_to_async(staff_of)(self.session)
        if staff is None or not staff.may_watch:
            return False
        self.staff = staff
        return True

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(work))

    async def _say(self, **message: Any) -> None:
        await self.send(msgspec.json.encode(message).decode())
