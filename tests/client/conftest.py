"""Servers of another kind for the tests of clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.client.scripted_server import ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def scripted() -> Iterator[Callable[..., ScriptedServer]]:
    """Start servers that answer what a test says; they end with it."""
    started: list[ScriptedServer] = []

    def start(*steps: object, **options: object) -> ScriptedServer:
        started.append(ScriptedServer(*steps, **options))
        return started[-1]

    yield start
    for server in started:
        server.close()
