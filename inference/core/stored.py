"""What is kept of a response apart from the record, and who keeps it.

`inference` knows no table: a `ResponseStore` is given to it, as an observer is. Items
are those of OpenAI's responses, as JSON values with ids; times are Unix seconds.
"""

from __future__ import annotations

import re
from typing import Any, Protocol

import msgspec

Item = dict[str, Any]

# Of responses and conversations; nothing else is anybody's.
_ID = re.compile(r"[A-Za-z0-9_-]{1,96}")


def is_id(text: str) -> bool:
    """Whether a response or a conversation may have this id."""
    return _ID.fullmatch(text) is not None


_UNDER_WAY = frozenset({"queued", "in_progress"})


class StoredResponse(msgspec.Struct, frozen=True, kw_only=True):
    """A response as its holder may ask for it again.

    `body` is the response object as last told, its `status` and `output` included;
    `input` is what this request brought, without what came before it. `events` are the
    stream's, each with its `sequence_number`; empty where it was not streamed.
    `boot_id` is the server run that wrote it; the store knows.
    """

    id: str
    key_name: str
    created_at: float
    body: dict[str, Any]
    input: tuple[Item, ...] = ()
    previous_response_id: str = ""
    conversation_id: str = ""
    events: tuple[dict[str, Any], ...] = ()
    boot_id: str = ""

    @property
    def is_under_way(self) -> bool:
        """Whether it says that it has no end yet."""
        return self.body.get("status") in _UNDER_WAY


class StoredConversation(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation: what its holder noted on it, and its items, oldest first."""

    id: str
    key_name: str
    created_at: float
    metadata: dict[str, str] = {}
    items: tuple[Item, ...] = ()


class ResponseStore(Protocol):
    """Keeps responses and conversations of each key for `retention_s` seconds.

    They count from the last write; a response is also kept as long as one that went on
    from it. What another key holds is as good as not there. A method that writes
    returns once it would survive the end of the process. Nothing here blocks the event
    loop. What is `queued` or `in_progress` when its server run ends is told as failed.

    Raises:
        StoreUnavailableError: the database does not answer.
        ResponseTooLargeError: what is to be kept has too many bytes.
    """

    @property
    def retention_s(self) -> float:
        """How long responses are kept; 0: nothing is stored."""

    async def save(self, response: StoredResponse) -> None:
        """Keep `response`, in the place of what was kept under its id.

        Its events are left out where only they make it too large.
        """

    async def response(self, response_id: str, key_name: str) -> StoredResponse | None:
        """Return what is kept, or `None`."""

    async def history(self, response_id: str, key_name: str) -> tuple[Item, ...] | None:
        """Return all items up to this response's output, oldest first, or `None`.

        Those of the responses it went on from come first; where one of them is gone,
        so is the history.

        Raises:
            InvalidRequestError: it has not ended yet.
        """

    async def delete(self, response_id: str, key_name: str) -> bool:
        """Forget a response; whether there was one."""

    async def save_conversation(self, conversation: StoredConversation) -> None:
        """Keep a conversation's metadata, and its items where it is new."""

    async def conversation(
        self, conversation_id: str, key_name: str
    ) -> StoredConversation | None:
        """Return a conversation with its items, or `None`."""

    async def add_items(
        self, conversation_id: str, key_name: str, items: tuple[Item, ...]
    ) -> bool:
        """Add to the end of a conversation; whether there is one.

        An item whose id is there already stays as it is.

        Raises:
            InvalidRequestError: the conversation would have too many.
        """

    async def delete_item(
        self, conversation_id: str, key_name: str, item_id: str
    ) -> bool:
        """Take one item out of a conversation; whether it was there."""

    async def delete_conversation(self, conversation_id: str, key_name: str) -> bool:
        """Forget a conversation with its items; whether there was one."""
