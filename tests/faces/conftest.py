"""The server of the wire's tests, with a store on a database of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.api.conftest import client, make_house
from tests.metrics.conftest import migrated_file, sqlite_file
from tests.response_store.cast import storing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from inference.response_store import DatabaseResponseStore

__all__ = ["client", "make_house", "migrated_file", "sqlite_file"]


@pytest.fixture
async def kept(sqlite_file: Path) -> AsyncIterator[DatabaseResponseStore]:
    """A store whose time of day is the server's."""
    async with storing(clock=None) as store:
        yield store
