"""Real databases, as the record's tests have them, and a store on each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.metrics.conftest import (
    database,
    migrated_file,
    postgres,
    postgres_settings,
    sqlite_file,
)
from tests.response_store.cast import SettableClock, storing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from inference.response_store import DatabaseResponseStore

__all__ = ["database", "migrated_file", "postgres", "postgres_settings", "sqlite_file"]


@pytest.fixture
def clock() -> SettableClock:
    """A clock that tests turn."""
    return SettableClock()


@pytest.fixture
async def store(
    database: Any, clock: SettableClock
) -> AsyncIterator[DatabaseResponseStore]:
    """A store that keeps what it is given for a day."""
    async with storing(clock=clock) as store:
        yield store
