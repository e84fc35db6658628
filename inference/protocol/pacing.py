"""Tells a stream's silences from its end: owns the one task that reads ahead."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _End:
    """How the source ended."""

    error: Exception | None = None


_Slot = asyncio.Queue["T | _End | None"]


class _SilenceAlarm(Generic[T]):
    """Puts `None` into an empty slot whenever nothing came for `after_s` seconds.

    One timer per stream, moved on only when it fires: an item costs no timer.
    """

    def __init__(self, slot: _Slot[T], after_s: float) -> None:
        self._slot = slot
        self._after_s = after_s
        self._loop = asyncio.get_running_loop()
        self._silent_since = self._loop.time()
        self._timer = self._loop.call_later(after_s, self._check)

    def heard(self) -> None:
        """Note that something came just now."""
        self._silent_since = self._loop.time()

    def stop(self) -> None:
        """Never fire again."""
        self._timer.cancel()

    def _check(self) -> None:
        if self._loop.time() >= self._silent_since + self._after_s:
            self.heard()
            if self._slot.empty():
                self._slot.put_nowait(None)
        self._timer = self._loop.call_at(
            self._silent_since + self._after_s, self._check
        )


async def with_silences(
    source: AsyncGenerator[T, None], *, after_s: float
) -> AsyncGenerator[T | None, None]:
    """Yield the source's items, and `None` for every `after_s` seconds without one.

    The source runs in one task from its first step to its last, one item ahead,
    so that it may hold a timeout or a lock across its yields. It is closed when
    this generator ends, is closed or is cancelled, and before either returns.
    """
    slot: _Slot[T] = asyncio.Queue(maxsize=1)
    reader = asyncio.create_task(_read_ahead(source, slot))
    alarm = _SilenceAlarm(slot, after_s)
    try:
        while not isinstance(item := await slot.get(), _End):
            alarm.heard()
            if item is None and reader.cancelled():
                await reader  # The source cancelled itself: so are we.
            yield item
        if item.error is not None:
            raise item.error
    finally:
        alarm.stop()
        reader.cancel()
        await asyncio.wait((reader,))


async def _read_ahead(source: AsyncGenerator[T, None], slot: _Slot[T]) -> None:
    async with aclosing(source):
        try:
            async for item in source:
                await slot.put(item)
        except Exception as error:  # noqa: BLE001 -- carried to the reader's side
            await slot.put(_End(error))
        else:
            await slot.put(_End())
