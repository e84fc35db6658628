"""What the OpenAPI document says of stored responses and conversations."""

from __future__ import annotations

from typing import Any

from inference.protocol.openapi.shapes import (
    COUNT,
    FLAG,
    STRING,
    TEXT_OR_NULL,
    Schema,
    answer,
    list_of,
    object_of,
    ref,
    refusals,
)
from inference.protocol.pages import PAGE_ITEMS, PAGE_MOST

_FAILURES = {
    "status_400": "What is wrong, and which parameter it is about.",
    "status_401": "A key is needed, or this is none.",
    "status_404": "It is not kept for this key, or nothing is stored here.",
    "status_503": "The database does not answer.",
}
_TOO_LARGE = "It has more bytes than are kept."


def stored_paths() -> Schema:
    """Return the paths of what is stored."""
    response, conversation = _named("id", "resp_"), _named("id", "conv_")
    item = [*conversation, _parameter("item_id", "path", STRING, "An item's id.")]
    return {
        "/v1/responses/{id}": {
            "get": _retrieve(response),
            "delete": _operation("Forget a response.", "Deleted", response),
        },
        "/v1/responses/{id}/cancel": {
            "post": _operation(
                "End a response that is under way in the background.",
                "Response",
                response,
            ),
        },
        "/v1/responses/{id}/input_items": {
            "get": _paged("List what a response was asked.", response),
        },
        "/v1/conversations": {
            "post": _operation(
                "Begin a conversation.", "Conversation", [], body="ConversationRequest"
            )
        },
        "/v1/conversations/{id}": {
            "get": _operation("Show a conversation.", "Conversation", conversation),
            "post": _operation(
                "Note something else on it.",
                "Conversation",
                conversation,
                body="ConversationUpdate",
            ),
            "delete": _operation("Forget it with its items.", "Deleted", conversation),
        },
        "/v1/conversations/{id}/items": {
            "get": _paged("List its items.", conversation),
            "post": _operation(
                "Add to its end.", "ItemList", conversation, body="ConversationItems"
            ),
        },
        "/v1/conversations/{id}/items/{item_id}": {
            "get": _operation("Show one item.", "StoredItem", item),
            "delete": _operation("Take one item out.", "Conversation", item),
        },
    }


def stored_schemas() -> Schema:
    """Return the schemas of what is answered."""
    item = {"type": "object", "properties": {"id": STRING, "type": STRING}}
    return {
        "StoredItem": item | {"required": ["id", "type"]},
        "ItemList": object_of(
            object={"const": "list"},
            data=list_of(ref("StoredItem")),
            first_id=TEXT_OR_NULL,
            last_id=TEXT_OR_NULL,
            has_more=FLAG,
        ),
        "Conversation": object_of(
            id=STRING,
            object={"const": "conversation"},
            created_at=COUNT,
            metadata={"type": "object", "additionalProperties": STRING},
        ),
        "Deleted": object_of(
            id=STRING,
            object={"enum": ["response", "conversation.deleted"]},
            deleted={"const": True},
        ),
    }


def _retrieve(response: list[Schema]) -> Schema:
    told = [
        _parameter("stream", "query", FLAG, "Tell its events."),
        _parameter(
            "starting_after", "query", COUNT, "Only those after this sequence number."
        ),
    ]
    operation = _operation(
        "Show a response; with `stream`, tell its events again.",
        "Response",
        [*response, *told],
    )
    operation["responses"]["200"]["content"]["text/event-stream"] = {
        "schema": STRING
        | {"description": "Its events, while it is under way to its end; `[DONE]`."}
    }
    return operation


def _paged(summary: str, named: list[Schema]) -> Schema:
    limit: Schema = {"type": "integer", "minimum": 1, "maximum": PAGE_MOST}
    order: Schema = {"enum": ["asc", "desc"], "default": "desc"}
    page = [
        _parameter(
            "limit", "query", limit | {"default": PAGE_ITEMS}, "How many at most."
        ),
        _parameter("order", "query", order, "Oldest or newest first."),
        _parameter("after", "query", STRING, "Those behind this item."),
    ]
    return _operation(summary, "ItemList", [*named, *page])


def _operation(
    summary: str, schema: str, parameters: list[Schema], *, body: str = ""
) -> Schema:
    failures = _FAILURES | ({"status_413": _TOO_LARGE} if body else {})
    operation: Schema = {
        "tags": ["responses"],
        "summary": summary,
        "responses": {"200": answer("Done.", ref(schema)), **refusals(**failures)},
    }
    if parameters:
        operation["parameters"] = parameters
    if body:
        content: dict[str, Any] = {"application/json": {"schema": ref(body)}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _named(name: str, prefix: str) -> list[Schema]:
    schema = STRING | {"pattern": f"^{prefix}[A-Za-z0-9_-]{{1,80}}$"}
    return [_parameter(name, "path", schema, "Its id.")]


def _parameter(name: str, place: str, schema: Schema, text: str) -> Schema:
    return {
        "name": name,
        "in": place,
        "required": place == "path",
        "description": text,
        "schema": schema,
    }
