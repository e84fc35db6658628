"""One message of a conversation as a JSON schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.protocol.messages import ROLES
from inference.protocol.openapi.shapes import Schema, array_of

if TYPE_CHECKING:
    from inference.core.limits import Limits


def message_schema(limits: Limits) -> Schema:
    """Return the schema of one message of a conversation."""
    text = {"type": "string", "maxLength": limits.text_chars}
    image = {
        "type": "object",
        "required": ["url"],
        "properties": {
            "url": {"type": "string", "maxLength": limits.url_chars},
            "detail": {"enum": ["auto", "low", "high", None]},
        },
    }
    part = {
        "type": "object",
        "required": ["type"],
        "properties": {
            "type": {"enum": ["text", "image_url", "refusal"]},
            "text": text,
            "refusal": text,
            "image_url": {"anyOf": [image, {"type": "string"}]},
        },
    }
    maybe_text = text | {"type": ["string", "null"]}
    parts = array_of(part, 1, limits.parts_per_message)
    call = {"$ref": "#/components/schemas/ToolCall"}
    calls = {"type": ["array", "null"], "items": call}
    return {
        "type": "object",
        "required": ["role"],
        "properties": {
            "role": {"enum": list(ROLES)},
            "content": {"anyOf": [maybe_text, parts]},
            "name": {"type": ["string", "null"], "maxLength": limits.name_chars},
            "tool_call_id": {"type": ["string", "null"]},
            "tool_calls": calls,
            "reasoning_content": maybe_text,
            "reasoning": maybe_text,
            "refusal": maybe_text,
        },
    }
