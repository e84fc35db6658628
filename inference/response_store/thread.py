"""One thread with a database connection of its own: what is asked of it waits its turn.

A database that is locked or away is asked again until `patience_s` have passed since
the work was handed in, and no longer.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from django.db import (
    DEFAULT_DB_ALIAS,
    InterfaceError,
    OperationalError,
    ProgrammingError,
    connections,
    transaction,
)

from inference.core.errors import StoreUnavailableError
from inference.core.timing import Clock, SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger("inference")

T = TypeVar("T")

PATIENCE_S = 5.0
RETRY_S = 0.1
# More than this many pieces of work at once wait for a database that does not answer.
WAITING_MOST = 1000
# A thread that is held up elsewhere (in a pool, say) is waited for this much longer.
_GRACE_S = 1.0

_SILENT = "the database does not answer"
# What another try may mend; all else is wrong with the work itself.
_TROUBLE = (OperationalError, InterfaceError, ProgrammingError)


class DatabaseThread:
    """Runs reads and writes one after the other, away from the event loop."""

    def __init__(
        self, *, patience_s: float = PATIENCE_S, clock: Clock | None = None
    ) -> None:
        self._patience_s = patience_s
        self._clock = clock or SystemClock()
        self._waiting = 0
        self._stopping = threading.Event()
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="responses")

    async def read(self, work: Callable[[], T]) -> T:
        """Return what `work` finds.

        Raises:
            StoreUnavailableError: the database did not answer in time.
        """
        return await self._run(work)

    async def write(self, work: Callable[[], T]) -> T:
        """Do `work` in one transaction; it is committed on return.

        Raises:
            StoreUnavailableError: as in `read`; nothing was written, or its end is
                not known.
        """
        return await self._run(partial(self._in_transaction, work))

    async def stop(self) -> None:
        """Try once more what waits, close the connection, and refuse what comes."""
        self._stopping.set()
        self._executor.submit(_close)
        await asyncio.to_thread(self._executor.shutdown)

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= WAITING_MOST or self._stopping.is_set():
            raise _unavailable("too much waits already")
        until = self._clock.monotonic() + self._patience_s
        self._waiting += 1
        try:
            async with asyncio.timeout(self._patience_s + _GRACE_S):
                return await asyncio.wrap_future(
                    self._executor.submit(self._attempts, work, until)
                )
        except TimeoutError:
            raise _unavailable(_SILENT) from None
        finally:
            self._waiting -= 1

    # --- in the thread

    def _attempts(self, work: Callable[[], T], until: float) -> T:
        """Try until it works or the time is over; at least once where any is left."""
        while (left_s := until - self._clock.monotonic()) > 0:
            try:
                self._wait_for_locks(left_s)
                return work()
            except _TROUBLE as error:
                # For the operator: it may name hosts and users.
                logger.warning("The store of responses waits: %s", error)
                _close()
                if self._stopping.wait(min(RETRY_S, left_s)):
                    break
        raise _unavailable(_SILENT)

    @staticmethod
    def _wait_for_locks(patience_s: float) -> None:
        """Have SQLite wait that long for whoever writes; it is this thread's own."""
        connection = connections[DEFAULT_DB_ALIAS]
        if connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                cursor.execute(f"PRAGMA busy_timeout = {max(1, int(patience_s * 1e3))}")

    def _in_transaction(self, work: Callable[[], T]) -> T:
        with transaction.atomic():
            connection = connections[DEFAULT_DB_ALIAS]
            if connection.vendor == "postgresql":
                # Of this transaction only: the connection is lent from a pool.
                patience_ms = max(1, int(self._patience_s * 1e3))
                with connection.cursor() as cursor:
                    cursor.execute(f"SET LOCAL statement_timeout = {patience_ms}")
            return work()


def _close() -> None:
    connections[DEFAULT_DB_ALIAS].close()


def _unavailable(why: str) -> StoreUnavailableError:
    return StoreUnavailableError(f"Stored responses cannot be reached now: {why}")
