"""What came before a response, and where it goes: the store, as a request uses it."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import msgspec

from inference.core.errors import NotFoundError
from inference.core.stored import StoredResponse
from inference.faces.responses.body import read_items
from inference.protocol.response_items import IgnoredItemBody, ItemReferenceBody

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference.core.limits import Limits
    from inference.core.stored import Item, ResponseStore
    from inference.protocol.response_items import ItemBody
    from inference.protocol.response_parameters import ResponseRequestBody

NOTHING_KEPT = "store: responses are not kept on this server"
NOT_ADDED = "conversation: nothing is added to it without 'store'"
_ALWAYS: dict[str, dict[str, Any]] = {
    "output_text": {"annotations": [], "logprobs": []},
    "input_image": {"detail": "auto"},
}
# Which response an item is from; the prefix is that of its kind.
_ITEM_ID = re.compile(r"[a-z]+_([0-9a-f]{32})_(?:in_)?[0-9]+")


class ResponseHistory:
    """Finds what a request refers to, for one key. Without a store there is nothing."""

    def __init__(
        self, store: ResponseStore | None, key_name: str, *, limits: Limits
    ) -> None:
        self._store = store
        self._key_name = key_name
        self._limits = limits

    async def before(self, asked: ResponseRequestBody) -> tuple[ItemBody, ...]:
        """Return all items that come before a request's own.

        Raises:
            NotFoundError: it goes on from what is not kept.
        """
        items: Sequence[Item] = ()
        if asked.previous_response_id:
            items = await self._response(asked.previous_response_id)
        elif asked.conversation:
            items = await self._conversation(asked.conversation)
        if not items:
            return ()
        return await asyncio.to_thread(read_items, items, limits=self._limits)

    async def resolved(
        self, sent: Sequence[ItemBody], before: Sequence[ItemBody]
    ) -> tuple[ItemBody, ...]:
        """Return items with what the references among them stand for.

        What came before anyway is not told twice.
        """
        known = {item.id for item in before}
        found: list[ItemBody] = []
        for item in sent:
            if isinstance(item, ItemReferenceBody):
                is_known = item.id in known
                item = IgnoredItemBody() if is_known else await self._item(item)
            found.append(item)
        return tuple(found)

    async def _response(self, response_id: str) -> tuple[Item, ...]:
        items = None
        if self._store is not None:
            items = await self._store.history(response_id, self._key_name)
        if items is None:
            raise NotFoundError(
                f"Previous response with id '{response_id}' not found.",
                param="previous_response_id",
                code="previous_response_not_found",
            )
        return items

    async def _conversation(self, conversation_id: str) -> tuple[Item, ...]:
        found = None
        if self._store is not None:
            found = await self._store.conversation(conversation_id, self._key_name)
        if found is None:
            raise NotFoundError(
                f"Conversation with id '{conversation_id}' not found.",
                param="conversation",
                code="conversation_not_found",
            )
        return found.items

    async def _item(self, reference: ItemReferenceBody) -> ItemBody:
        """Return the item of a stored response; what is not there stays a reference."""
        named = _ITEM_ID.fullmatch(reference.id)
        if self._store is None or named is None:
            return reference
        kept = await self._store.response(f"resp_{named[1]}", self._key_name)
        items = [*kept.input, *kept.body["output"]] if kept is not None else []
        same = [item for item in items if item.get("id") == reference.id]
        return read_items(same, limits=self._limits)[0] if same else reference


class ResponseKeeper:
    """Has one response kept under the key that asked for it."""

    def __init__(
        self,
        store: ResponseStore,
        asked: ResponseRequestBody,
        sent: Sequence[ItemBody],
        *,
        key_name: str,
    ) -> None:
        self._store = store
        self._asked = asked
        self._sent = sent
        self._key_name = key_name

    async def __call__(
        self, body: dict[str, Any], events: tuple[dict[str, Any], ...]
    ) -> None:
        """Keep a response; what it answered goes to the end of its conversation."""
        asked, sent = self._asked, input_items(self._sent, body["id"])
        await self._store.save(
            StoredResponse(
                id=body["id"],
                key_name=self._key_name,
                created_at=body["created_at"],
                body=body,
                input=sent,
                previous_response_id=asked.previous_response_id or "",
                conversation_id=asked.conversation or "",
                events=events,
            )
        )
        if asked.conversation and body["status"] in ("completed", "incomplete"):
            items = (*sent, *body["output"])
            await self._store.add_items(asked.conversation, self._key_name, items)


def input_items(sent: Sequence[ItemBody], response_id: str) -> tuple[Item, ...]:
    """Return items as they are kept: each with an id and without what is absent."""
    key = response_id.removeprefix("resp_")
    return tuple(
        item_of(item, f"msg_{key}_in_{at}")
        for at, item in enumerate(sent)
        if not isinstance(item, IgnoredItemBody)
    )


def item_of(sent: ItemBody, item_id: str) -> Item:
    """Return an item as it is kept; under `item_id` where it has no id of its own."""
    found: Item = msgspec.to_builtins(sent)
    content = found.get("content")
    if found["type"] == "message" and isinstance(content, str):
        kind = "output_text" if found["role"] == "assistant" else "input_text"
        found["content"] = [{"type": kind, "text": content}]
    for name in ("content", "output"):
        if isinstance(found.get(name), list):
            found[name] = [_part_of(part) for part in found[name]]
    kept = {name: value for name, value in found.items() if value is not None}
    return {"id": item_id, "status": "completed", **kept}


def _part_of(part: dict[str, Any]) -> dict[str, Any]:
    """Return a part with all that a client's types want of it."""
    kept = {name: value for name, value in part.items() if value is not None}
    return {**_ALWAYS.get(part["type"], {}), **kept}
