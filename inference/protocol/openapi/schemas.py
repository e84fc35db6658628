"""The bodies of `/v1` and `/health` as JSON schemas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.core.limits import DEFAULT_LIMITS
from inference.core.models import KINDS
from inference.core.outcomes import ModelState, Outcome, Phase, RequestKind
from inference.protocol.completion_parameters import CompletionRequestBody
from inference.protocol.conversation_parameters import (
    ConversationItemsBody,
    ConversationRequestBody,
    ConversationUpdateBody,
)
from inference.protocol.encoder_parameters import (
    EmbeddingsRequestBody,
    RerankRequestBody,
)
from inference.protocol.message_parameters import CountRequestBody, MessageRequestBody
from inference.protocol.openapi.encoders import encoder_schemas
from inference.protocol.openapi.messages import message_schemas
from inference.protocol.openapi.ollama import ollama_schemas
from inference.protocol.openapi.parameters import body_schemas
from inference.protocol.openapi.responses import response_schemas
from inference.protocol.openapi.shapes import (
    COUNT,
    COUNT_OR_NULL,
    FLAG,
    NUMBER,
    NUMBER_OR_NULL,
    STRING,
    TEXT_OR_NULL,
    Schema,
    list_of,
    object_of,
    ref,
)
from inference.protocol.openapi.stored import stored_schemas
from inference.protocol.openapi.tokens import token_schemas
from inference.protocol.parameters import ChatRequestBody
from inference.protocol.response_parameters import ResponseRequestBody
from inference.protocol.token_parameters import (
    DetokenizeRequestBody,
    TokenizeRequestBody,
)

if TYPE_CHECKING:
    from inference.core.limits import Limits


def server_schemas(limits: Limits = DEFAULT_LIMITS) -> Schema:
    """Return the schemas of `/v1` and `/health`."""
    bodies = body_schemas(
        ChatRequestBody,
        CompletionRequestBody,
        MessageRequestBody,
        CountRequestBody,
        TokenizeRequestBody,
        DetokenizeRequestBody,
        EmbeddingsRequestBody,
        RerankRequestBody,
        ResponseRequestBody,
        ConversationRequestBody,
        ConversationUpdateBody,
        ConversationItemsBody,
        limits=limits,
    )
    bodies["TokenizeRequest"]["oneOf"] = [
        {"required": ["prompt"]},
        {"required": ["messages"]},
    ]
    return {
        **bodies,
        **_completion_schemas(),
        **encoder_schemas(),
        **message_schemas(),
        **ollama_schemas(),
        **token_schemas(),
        **response_schemas(),
        **stored_schemas(),
        **_model_schemas(limits),
        **_stats_schemas(),
        "Health": object_of(status=STRING)
        | {"properties": {"status": STRING, "reason": STRING}},
        "Error": object_of(
            error=object_of(
                message=STRING, type=STRING, param=TEXT_OR_NULL, code=TEXT_OR_NULL
            )
        ),
    }


def _completion_schemas() -> Schema:
    usage = object_of(
        prompt_tokens=COUNT,
        completion_tokens=COUNT,
        total_tokens=COUNT,
        prompt_tokens_details=object_of(cached_tokens=COUNT),
        completion_tokens_details=object_of(reasoning_tokens=COUNT),
    )
    message = object_of(
        role={"const": "assistant"}, content=TEXT_OR_NULL, refusal=TEXT_OR_NULL
    )
    message["properties"] |= {
        "reasoning_content": STRING,
        "reasoning": STRING,
        "tool_calls": list_of(ref("ToolCall")),
    }
    ends = {"enum": ["stop", "length", "tool_calls", None]}
    logprobs = {"type": ["object", "null"]}
    choice = object_of(
        index=COUNT, message=message, logprobs=logprobs, finish_reason=ends
    )
    piece = object_of(
        index=COUNT, delta={"type": "object"}, logprobs=logprobs, finish_reason=ends
    )
    head = {"id": STRING, "created": COUNT, "model": STRING}
    return {
        "Usage": usage,
        "ChatCompletion": object_of(
            object={"const": "chat.completion"},
            **head,
            system_fingerprint=STRING,
            choices=list_of(choice),
            usage=ref("Usage"),
        ),
        "ChatChunk": object_of(
            object={"const": "chat.completion.chunk"}, **head, choices=list_of(piece)
        ),
        "Completion": object_of(
            object={"const": "text_completion"},
            **head,
            choices=list_of(
                object_of(
                    index=COUNT, text=STRING, logprobs=logprobs, finish_reason=ends
                )
            ),
        ),
    }


def _model_schemas(limits: Limits) -> Schema:
    model = object_of(
        id=STRING,
        object={"const": "model"},
        created=COUNT,
        owned_by=STRING,
        aliases=list_of(STRING),
        kind={"enum": list(KINDS)},
        state={"enum": [state.value for state in ModelState]},
        source=TEXT_OR_NULL,
        capabilities=list_of(STRING),
        kinds=list_of(STRING),
        input_modalities=list_of({"enum": ["text", "image"]}),
        dialect=TEXT_OR_NULL,
        context_length=COUNT_OR_NULL,
        max_model_len=COUNT_OR_NULL,
        size_bytes=COUNT_OR_NULL,
        memory_bytes=COUNT_OR_NULL,
        computes_on=TEXT_OR_NULL,
        loaded_at=NUMBER_OR_NULL,
        last_used_at=NUMBER_OR_NULL,
        pinned=FLAG,
        ttl_s=NUMBER_OR_NULL,
        progress=NUMBER_OR_NULL,
        error=TEXT_OR_NULL,
        notes=list_of(STRING),
        max_concurrency=COUNT,
        active_requests=COUNT,
        queue_size=COUNT,
    )
    key = STRING | {"maxLength": limits.model_key_chars}
    load = object_of(
        False,
        model=STRING | {"maxLength": limits.model_path_chars},
        key=key | {"description": "The name to serve it under, its own without it."},
        model_type={"enum": [*KINDS, None]},
        pin={"type": ["boolean", "null"]},
        ttl_s={"type": ["number", "null"], "minimum": 0, "maximum": limits.ttl_s},
        stream={"type": ["boolean", "null"]},
    )
    unload = object_of(False, key=key, model=key, force={"type": ["boolean", "null"]})
    either = {"anyOf": [{"required": ["key"]}, {"required": ["model"]}]}
    return {
        "Model": model,
        "ModelList": object_of(
            object={"const": "list"},
            data=list_of(ref("Model")),
            models={"const": [], "description": "What Codex looks for."},
        ),
        "ChangedModel": {"allOf": [ref("Model"), object_of(load_s=NUMBER_OR_NULL)]},
        "LoadRequest": load | {"required": ["model"], "additionalProperties": False},
        "UnloadRequest": unload | either | {"additionalProperties": False},
    }


def _stats_schemas() -> Schema:
    outcomes = (end.value for end in Outcome if end is not Outcome.RUNNING)
    kinds = (kind.value for kind in RequestKind if kind)
    totals = object_of(
        total_requests=COUNT,
        total_tokens=COUNT,
        total_time=NUMBER,
        request_types=object_of(**dict.fromkeys(kinds, COUNT)),
        error_count=COUNT,
        error_rate=NUMBER,
        outcomes=object_of(False, **dict.fromkeys(outcomes, COUNT)),
        rejected=COUNT,
        invalid=COUNT,
        performance=object_of(
            avg_tps=NUMBER, max_tps=NUMBER, min_tps=NUMBER, recent_requests=COUNT
        ),
    )
    model = object_of(
        state=STRING,
        active_requests=COUNT,
        queue_size=COUNT,
        max_concurrency=COUNT,
        metrics=ref("Totals"),
    )
    queues = object_of(
        running=FLAG,
        queue_size=COUNT,
        max_queue_size=COUNT,
        active_requests=COUNT,
        max_concurrency=COUNT,
    )
    record = object_of(
        spool_lag_bytes=COUNT,
        backlog_lines=COUNT,
        dropped_total=COUNT,
        suppressed_total=COUNT,
        last_error=STRING,
    )
    return {
        "QueueRequest": _queue_request(),
        "CancelledRequest": object_of(
            id=STRING,
            object={"const": "request.cancellation"},
            cancelled={"const": True},
        ),
        "QueueRequestList": object_of(
            object={"const": "list"}, total=COUNT, data=list_of(ref("QueueRequest"))
        ),
        "Totals": totals,
        "QueueStats": object_of(
            status=STRING,
            queue_stats=queues,
            metrics=ref("Totals"),
            models={"type": "object", "additionalProperties": model},
            record=record,
        ),
    }


def _queue_request() -> Schema:
    return object_of(
        id=STRING,
        object={"const": "queue.request"},
        endpoint=STRING,
        model=STRING,
        kind={"enum": [kind.value for kind in RequestKind]},
        stream=FLAG,
        phase={"enum": [phase.value for phase in Phase]},
        place=COUNT_OR_NULL | {"description": "In its model's line, from 1."},
        started_at=NUMBER,
        age_s=NUMBER,
        phase_s=NUMBER | {"description": "Seconds in this phase."},
        prompt_tokens=COUNT_OR_NULL,
        completion_tokens=COUNT,
        tokens_per_s=NUMBER_OR_NULL,
        choices=COUNT,
        key=STRING | {"description": "The name of the key that let it in."},
        user=STRING,
        client=STRING,
    )
