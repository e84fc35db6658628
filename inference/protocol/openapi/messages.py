"""What the OpenAPI document says of Anthropic's messages."""

from __future__ import annotations

from inference.protocol.openapi.shapes import (
    COUNT,
    STRING,
    TEXT_OR_NULL,
    Schema,
    answer,
    list_of,
    object_of,
    ref,
)

_FAILURES = {
    "400": "What is wrong, and which parameter it is about.",
    "401": "A key is needed, or this is none.",
    "404": "The model is not known here.",
    "429": "Every waiting place is taken.",
    "503": "No seat came free in time, or no model can answer.",
    "504": "The request took longer than the server allows.",
}


def message_paths() -> Schema:
    """Return the paths of messages."""
    create = _operation(
        "Answer a conversation; with `stream`, as Anthropic's events.",
        "Message",
        body="MessageRequest",
    )
    create["responses"]["200"]["content"]["text/event-stream"] = {
        "schema": STRING
        | {
            "description": "`message_start`, the blocks of the content, "
            "`message_delta`, `message_stop`; `ping` in silence, `error` at a bad end."
        }
    }
    count = _operation(
        "Tell how many tokens a conversation has for the model.",
        "MessageTokenCount",
        body="CountRequest",
    )
    return {
        "/v1/messages": {"post": create},
        "/v1/messages/count_tokens": {"post": count},
    }


def message_schemas() -> Schema:
    """Return the schemas of what is answered."""
    block = {"type": "object", "properties": {"type": STRING}, "required": ["type"]}
    usage = object_of(
        input_tokens=COUNT,
        cache_creation_input_tokens=COUNT,
        cache_read_input_tokens=COUNT,
        output_tokens=COUNT,
    )
    ends = ["end_turn", "max_tokens", "stop_sequence", "tool_use"]
    return {
        "Message": object_of(
            id=STRING,
            type={"const": "message"},
            role={"const": "assistant"},
            model=STRING,
            content=list_of(block),
            stop_reason={"enum": ends},
            stop_sequence=TEXT_OR_NULL,
            usage=usage,
        ),
        "MessageTokenCount": object_of(input_tokens=COUNT),
        "MessageError": object_of(
            type={"const": "error"},
            error=object_of(
                type=STRING, message=STRING, param=TEXT_OR_NULL, code=TEXT_OR_NULL
            ),
            request_id=STRING,
        ),
    }


def _operation(summary: str, schema: str, *, body: str) -> Schema:
    done = answer("Done.", ref(schema))
    done["headers"] = {
        name: {"description": text, "schema": STRING}
        for name, text in (
            ("request-id", "The id of its row; `x-request-id` is the same."),
            ("x-ignored-params", "Names in the body that mean nothing here."),
        )
    }
    return {
        "tags": ["chat"],
        "summary": summary,
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": ref(body)}},
        },
        "responses": {
            "200": done,
            **{
                status: answer(text, ref("MessageError"))
                for status, text in _FAILURES.items()
            },
        },
    }
