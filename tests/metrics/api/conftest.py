"""Who reads, and from what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.test import Client

from inference.runtime.app import install_app
from metrics.models import Rollup, ServerEventLog
from tests.metrics.api.cast import LoopThread, Reader, open_doors

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def reader() -> Iterator[Reader]:
    """Read a server without a key, from its own machine."""
    beside = LoopThread()
    open_doors(loop=beside.loop)
    yield Reader(Client())
    install_app(None)
    beside.end()


@pytest.fixture
def record(database: None) -> Iterator[None]:
    """Each kind of database in turn, empty again after the test."""
    yield
    Rollup.objects.all().delete()
    ServerEventLog.objects.all().delete()


@pytest.fixture(autouse=True)
def _no_app_left() -> Iterator[None]:
    yield
    install_app(None)
