"""How many generations live, and when none does any more."""

from __future__ import annotations

import asyncio


class LiveCount:
    """Counts those inside its `with` blocks."""

    def __init__(self) -> None:
        self._count = 0
        self._nobody = asyncio.Event()
        self._nobody.set()

    def __enter__(self) -> None:
        self._count += 1
        self._nobody.clear()

    def __exit__(self, *exc_info: object) -> None:
        self._count -= 1
        if not self._count:
            self._nobody.set()

    async def ended(self, timeout_s: float, hurry: asyncio.Event) -> bool:
        """Return whether none is left, within the time or until `hurry` is set."""
        waits = [
            asyncio.create_task(self._nobody.wait()),
            asyncio.create_task(hurry.wait()),
        ]
        await asyncio.wait(
            waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
        )
        for wait in waits:
            wait.cancel()
        return self._nobody.is_set()
