"""A store of responses that forgets when its test ends, and can be out of order."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from inference.core.errors import StoreUnavailableError

if TYPE_CHECKING:
    from inference.core.stored import Item, StoredConversation, StoredResponse


@dataclass
class KeptResponses:
    """Keeps responses and conversations in memory, as `ResponseStore` promises."""

    retention_s: float = 60.0
    is_broken: bool = False
    responses: dict[tuple[str, str], StoredResponse] = field(default_factory=dict)
    conversations: dict[tuple[str, str], StoredConversation] = field(
        default_factory=dict
    )

    saved: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def only(self) -> StoredResponse:
        """The one response that is kept."""
        (response,) = self.responses.values()
        return response

    async def save(self, response: StoredResponse) -> None:
        if self.is_broken:
            raise StoreUnavailableError("The database does not answer.")
        self.responses[response.id, response.key_name] = response
        self.saved.set()

    async def response(self, response_id: str, key_name: str) -> StoredResponse | None:
        return self.responses.get((response_id, key_name))

    async def history(self, response_id: str, key_name: str) -> tuple[Item, ...] | None:
        kept = self.responses.get((response_id, key_name))
        if kept is None:
            return None
        before: tuple[Item, ...] | None = ()
        if kept.previous_response_id:
            before = await self.history(kept.previous_response_id, key_name)
        return (*(before or ()), *kept.input, *kept.body["output"])

    async def delete(self, response_id: str, key_name: str) -> bool:
        return self.responses.pop((response_id, key_name), None) is not None

    async def save_conversation(self, conversation: StoredConversation) -> None:
        self.conversations[conversation.id, conversation.key_name] = conversation

    async def conversation(
        self, conversation_id: str, key_name: str
    ) -> StoredConversation | None:
        return self.conversations.get((conversation_id, key_name))

    async def add_items(
        self, conversation_id: str, key_name: str, items: tuple[Item, ...]
    ) -> bool:
        kept = self.conversations.get((conversation_id, key_name))
        if kept is None:
            return False
        self.conversations[conversation_id, key_name] = msgspec.structs.replace(
            kept, items=(*kept.items, *items)
        )
        return True

    async def delete_item(
        self, conversation_id: str, key_name: str, item_id: str
    ) -> bool:
        raise NotImplementedError

    async def delete_conversation(self, conversation_id: str, key_name: str) -> bool:
        raise NotImplementedError
