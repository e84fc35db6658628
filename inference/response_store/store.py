"""The store of responses and conversations: what is asked, and the rows it becomes."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from inference.core.stored import is_id
from inference.core.timing import Clock, SystemClock
from inference.response_store.conversations import Conversations
from inference.response_store.responses import Responses
from inference.response_store.thread import PATIENCE_S, DatabaseThread

if TYPE_CHECKING:
    from inference.core.stored import Item, StoredConversation, StoredResponse


class DatabaseResponseStore:
    """Implements `core.stored.ResponseStore` on a thread of its own.

    What its server run (`boot_id`) has under way is told as failed once that run is
    over. A response, or an addition to a conversation, has at most `most_bytes` of
    JSON.
    """

    def __init__(
        self,
        *,
        retention_s: float,
        most_bytes: int,
        boot_id: str,
        clock: Clock | None = None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self.retention_s = retention_s
        retention, clock = timedelta(seconds=retention_s), clock or SystemClock()
        self._responses = Responses(
            retention=retention, most_bytes=most_bytes, boot_id=boot_id, clock=clock
        )
        self._conversations = Conversations(
            retention=retention, most_bytes=most_bytes, clock=clock
        )
        self._thread = DatabaseThread(patience_s=patience_s)

    async def stop(self) -> None:
        """Let go of the database; whatever is asked from now on is refused."""
        await self._thread.stop()

    # --- responses

    async def save(self, response: StoredResponse) -> None:
        """Keep a response, as `ResponseStore` says."""
        await self._thread.write(partial(self._responses.put, response))

    async def response(self, response_id: str, key_name: str) -> StoredResponse | None:
        """Return what is kept, or `None`."""
        if not is_id(response_id):
            return None
        return await self._thread.read(
            partial(self._responses.find, response_id, key_name)
        )

    async def history(self, response_id: str, key_name: str) -> tuple[Item, ...] | None:
        """Return all items up to a response's output, as `ResponseStore` says."""
        if not is_id(response_id):
            return None
        return await self._thread.read(
            partial(self._responses.history, response_id, key_name)
        )

    async def delete(self, response_id: str, key_name: str) -> bool:
        """Forget a response; whether there was one."""
        return await self._thread.write(
            partial(self._responses.delete, response_id, key_name)
        )

    # --- conversations

    async def save_conversation(self, conversation: StoredConversation) -> None:
        """Keep a conversation, as `ResponseStore` says."""
        await self._thread.write(partial(self._conversations.put, conversation))

    async def conversation(
        self, conversation_id: str, key_name: str
    ) -> StoredConversation | None:
        """Return a conversation with its items, or `None`."""
        if not is_id(conversation_id):
            return None
        return await self._thread.read(
            partial(self._conversations.find, conversation_id, key_name)
        )

    async def add_items(
        self, conversation_id: str, key_name: str, items: tuple[Item, ...]
    ) -> bool:
        """Add to the end of a conversation; whether there is one."""
        return await self._thread.write(
            partial(self._conversations.add, conversation_id, key_name, items)
        )

    async def delete_item(
        self, conversation_id: str, key_name: str, item_id: str
    ) -> bool:
        """Take one item out of a conversation; whether it was there."""
        return await self._thread.write(
            partial(self._conversations.delete_item, conversation_id, key_name, item_id)
        )

    async def delete_conversation(self, conversation_id: str, key_name: str) -> bool:
        """Forget a conversation with its items; whether there was one."""
        return await self._thread.write(
            partial(self._conversations.delete, conversation_id, key_name)
        )
