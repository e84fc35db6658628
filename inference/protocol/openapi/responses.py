"""What the OpenAPI document says of a response."""

from __future__ import annotations

from inference.protocol.openapi.shapes import (
    COUNT,
    COUNT_OR_NULL,
    FLAG,
    NUMBER,
    STRING,
    TEXT_OR_NULL,
    Schema,
    list_of,
    object_of,
)


def response_schemas() -> Schema:
    """Return the schemas of what is answered."""
    item = object_of(type=STRING, id=STRING, status=STRING)
    whole_or_null: Schema = {"type": ["object", "null"]}
    under_way, ended = ["queued", "in_progress"], ["completed", "incomplete"]
    statuses = [*under_way, *ended, "failed", "cancelled"]
    return {
        "Response": object_of(
            id=STRING,
            object={"const": "response"},
            created_at=COUNT,
            completed_at=COUNT_OR_NULL,
            status={"enum": statuses},
            background=FLAG,
            error=whole_or_null,
            incomplete_details=whole_or_null,
            model=STRING,
            output=list_of(item),
            usage=whole_or_null,
            instructions=TEXT_OR_NULL,
            previous_response_id=TEXT_OR_NULL,
            conversation=whole_or_null,
            store=FLAG,
            tools=list_of({"type": "object"}),
            parallel_tool_calls=FLAG,
            max_output_tokens=COUNT_OR_NULL,
            text={"type": "object"},
            temperature=NUMBER,
            top_p=NUMBER,
            metadata={"type": "object"},
        )
    }
