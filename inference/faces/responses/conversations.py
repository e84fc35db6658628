"""/v1/conversations: begun, noted upon, added to, read, forgotten."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from inference.core.errors import NotFoundError
from inference.core.stored import StoredConversation
from inference.exchange.answering import ignored_header
from inference.exchange.endpoint import endpoint
from inference.exchange.reading import read_with
from inference.exchange.replies import json_reply
from inference.faces.responses.answer import RESPONSES
from inference.faces.responses.keeping import ResponseHistory, item_of
from inference.faces.responses.lookup import (
    check_id,
    kept_conversation,
    key_name,
    no_conversation,
    store_of,
)
from inference.protocol import faults
from inference.protocol.body import read_body
from inference.protocol.conversation_parameters import (
    ConversationItemsBody,
    ConversationRequestBody,
    ConversationUpdateBody,
)
from inference.protocol.pages import ItemPage, list_body, read_page
from inference.protocol.recorded import shown_names
from inference.protocol.response_items import IgnoredItemBody, ItemReferenceBody

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.http.response import HttpResponseBase

    from inference.core.limits import Limits
    from inference.core.stored import Item
    from inference.exchange.call import Call
    from inference.protocol.response_items import ItemBody

Body = TypeVar("Body", bound=msgspec.Struct)


@endpoint("/v1/conversations", "POST", face=RESPONSES)
async def conversation_create(call: Call) -> HttpResponseBase:
    """Begin a conversation, with what was said before."""
    asked = await _read(call, ConversationRequestBody)
    conversation = StoredConversation(
        id=f"conv_{uuid.uuid4().hex}",
        key_name=key_name(call),
        created_at=call.now,
        metadata=asked.metadata,
        items=await _items(call, asked.items),
    )
    await store_of(call).save_conversation(conversation)
    return _reply(call, _body(conversation))


@endpoint("/v1/conversations/{id}", "GET", "POST", "DELETE", face=RESPONSES)
async def conversation(call: Call, conversation_id: str) -> HttpResponseBase:
    """Show a conversation, note something else on it, or forget it."""
    if call.request.method == "DELETE":
        return await _forget(call, conversation_id)
    kept = await kept_conversation(call, conversation_id)
    if call.request.method == "POST":
        asked = await _read(call, ConversationUpdateBody)
        kept = msgspec.structs.replace(kept, metadata=asked.metadata, items=())
        await store_of(call).save_conversation(kept)
    return _reply(call, _body(kept))


@endpoint("/v1/conversations/{id}/items", "GET", "POST", face=RESPONSES)
async def conversation_items(call: Call, conversation_id: str) -> HttpResponseBase:
    """List what was said, a page at a time, or add to it."""
    if call.request.method == "POST":
        return await _add(call, conversation_id)
    page = read_page(call.request.GET)
    kept = await kept_conversation(call, conversation_id)
    return json_reply(list_body(kept.items, page))


@endpoint("/v1/conversations/{id}/items/{item_id}", "GET", "DELETE", face=RESPONSES)
async def conversation_item(
    call: Call, conversation_id: str, item_id: str
) -> HttpResponseBase:
    """Show one item, or take it out of the conversation."""
    kept = await kept_conversation(call, conversation_id)
    found = next((item for item in kept.items if item["id"] == item_id), None)
    if found is None:
        shown = faults.shown(item_id)
        raise NotFoundError(f"Item with id '{shown}' not found in conversation.")
    if call.request.method == "DELETE":
        await store_of(call).delete_item(kept.id, key_name(call), item_id)
        return json_reply(_body(kept))
    return json_reply(found)


async def _add(call: Call, conversation_id: str) -> HttpResponseBase:
    check_id(conversation_id, "conv", "conversation_id")
    asked = await _read(call, ConversationItemsBody)
    items = await _items(call, asked.items)
    added = await store_of(call).add_items(conversation_id, key_name(call), items)
    if not added:
        raise no_conversation(conversation_id)
    return _reply(call, list_body(items, ItemPage(len(items), is_ascending=True)))


async def _forget(call: Call, conversation_id: str) -> HttpResponseBase:
    check_id(conversation_id, "conv", "conversation_id")
    store = store_of(call)
    if not await store.delete_conversation(conversation_id, key_name(call)):
        raise no_conversation(conversation_id)
    return json_reply(
        {"id": conversation_id, "object": "conversation.deleted", "deleted": True}
    )


async def _read(call: Call, declared: type[Body]) -> Body:
    """Validate a body, and note the names in it that mean nothing."""

    def read(
        body: dict[str, Any], *, limits: Limits, strict: bool
    ) -> tuple[Body, list[str]]:
        asked, ignored = read_body(declared, body, limits=limits)
        return asked, shown_names(ignored, strict=strict)

    asked, ignored = await read_with(read, call)
    call.trace.ignores(ignored)
    return asked


def _reply(call: Call, body: dict[str, Any]) -> HttpResponseBase:
    return json_reply(body, headers=ignored_header(call.trace))


async def _items(call: Call, sent: Sequence[ItemBody]) -> tuple[Item, ...]:
    """Return what is to be kept of items that were sent.

    Raises:
        InvalidRequestError: one refers to what is not kept.
    """
    history = ResponseHistory(store_of(call), key_name(call), limits=call.app.limits)
    found = await history.resolved(sent, ())
    for at, item in enumerate(found):
        if isinstance(item, ItemReferenceBody):
            shown = faults.shown(item.id)
            raise faults.invalid(f"items[{at}]", f"item '{shown}' not found.")
    return tuple(
        item_of(item, f"msg_{uuid.uuid4().hex}")
        for item in found
        if not isinstance(item, IgnoredItemBody)
    )


def _body(conversation: StoredConversation) -> dict[str, Any]:
    return {
        "id": conversation.id,
        "object": "conversation",
        "created_at": int(conversation.created_at),
        "metadata": conversation.metadata,
    }
