"""The cast of the store's tests: responses, conversations, and stores that end."""

from __future__ import annotations

import sqlite3
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inference.core.stored import StoredConversation, StoredResponse
from inference.response_store import DatabaseResponseStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

DAY_S = 86_400.0
NOON = 1_800_000_000.0


@dataclass
class SettableClock:
    """The time of day stands still until it is set; waiting takes real time."""

    now: float = NOON

    def wall(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return time.monotonic()


def said(text: str, role: str = "user") -> dict[str, Any]:
    """Return a message as an item."""
    kind = "input_text" if role == "user" else "output_text"
    return {
        "id": f"msg_{text}",
        "type": "message",
        "role": role,
        "content": [{"type": kind, "text": text}],
    }


def response(name: str, *, after: str = "", **changes: Any) -> StoredResponse:
    """Return a completed response that says its own name."""
    body = {
        "id": f"resp_{name}",
        "status": changes.pop("status", "completed"),
        "output": [said(f"{name}!", "assistant")],
    }
    values: dict[str, Any] = {
        "id": f"resp_{name}",
        "key_name": "key",
        "created_at": NOON,
        "body": body,
        "input": (said(f"{name}?"),),
        "previous_response_id": f"resp_{after}" if after else "",
        "boot_id": "boot",
    }
    return StoredResponse(**values | changes)


def conversation(name: str, *texts: str, **changes: Any) -> StoredConversation:
    """Return a conversation in which these texts were said."""
    values: dict[str, Any] = {
        "id": f"conv_{name}",
        "key_name": "key",
        "created_at": NOON,
        "items": tuple(map(said, texts)),
    }
    return StoredConversation(**values | changes)


class Locked:
    """Somebody else writes to the file, and takes his time."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False
        )
        self._connection.execute("BEGIN IMMEDIATE")

    def let_go(self) -> None:
        self._connection.rollback()
        self._connection.close()


@asynccontextmanager
async def storing(**options: Any) -> AsyncIterator[DatabaseResponseStore]:
    """Run a store; at its end its connection is given back."""
    store = DatabaseResponseStore(
        **{
            "retention_s": DAY_S,
            "most_bytes": 1_000_000,
            "boot_id": "boot",
            "patience_s": 60.0,
        }
        | options
    )
    try:
        yield store
    finally:
        await store.stop()
