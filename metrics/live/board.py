"""One look per tick for all dashboards: owns the newest update and who waits for it.

The server is looked at only while somebody watches. An update replaces the one
before it; whoever is slow reads the newest next, and nothing piles up for him.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from metrics.live.snapshot import Snapshot, take_snapshot
from metrics.live.speeds import Speeds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inference.runtime.app import App

logger = logging.getLogger("metrics.live")

# At most four updates a second are promised; two are as good to the eye.
TICK_S = 0.5
WATCHERS_MOST = 50


class Update(NamedTuple):
    """What all dashboards are sent: the same text, numbered."""

    number: int
    text: str


class _Message(msgspec.Struct, tag_field="type", tag="live"):
    at: float
    now: Snapshot


class LiveBoard:
    """Lives on the event loop; there is one per server run."""

    def __init__(
        self, app: App, *, tick_s: float = TICK_S, watchers_most: int = WATCHERS_MOST
    ) -> None:
        self.app = app
        self.watchers = 0
        self._tick_s = tick_s
        self._watchers_most = watchers_most
        self._speeds = Speeds()
        self._seen: Snapshot | None = None
        self._newest = Update(0, "")
        self._changed = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None

    @property
    def is_full(self) -> bool:
        """Whether nobody more may watch."""
        return self.watchers >= self._watchers_most

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Keep the board up to date; the first one in starts it, the last stops it."""
        self.watchers += 1
        try:
            if self._looking is None:
                self._speeds.forget()
                self._look()
                self._looking = asyncio.create_task(self._keep_looking())
            yield
        finally:
            self.watchers -= 1
            if not self.watchers and self._looking is not None:
                self._looking.cancel()
                self._looking = None

    async def after(self, number: int) -> Update:
        """Return the newest update once it is newer than `number`."""
        while self._newest.number <= number:
            await self._changed.wait()
        return self._newest

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(self._tick_s)
            try:
                self._look()
            except Exception:
                logger.exception("The server could not be looked at")

    def _look(self) -> None:
        app = self.app
        made = app.running.tokens_by_model()
        snapshot = take_snapshot(app, self._speeds.look(app.clock.monotonic(), made))
        if snapshot == self._seen:
            return
        message = _Message(at=app.clock.wall(), now=snapshot)
        text = msgspec.json.encode(message).decode()
        self._seen, self._newest = snapshot, Update(self._newest.number + 1, text)
        self._changed.set()
        self._changed = asyncio.Event()


class _Current:
    board: LiveBoard | None = None


def board_of(app: App) -> LiveBoard:
    """Return the one board of a server run."""
    if _Current.board is None or _Current.board.app is not app:
        _Current.board = LiveBoard(app)
    return _Current.board
