"""One request as an OpenTelemetry span, with the GenAI names of its attributes.

The conventions are in development: names we need and they lack begin with `mlx_server.`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inference.core.outcomes import Outcome

if TYPE_CHECKING:
    from datetime import datetime

    from metrics.models import RequestLog

_OPERATIONS = {
    "/v1/chat/completions": "chat",
    "/ws/chat": "chat",
    "/v1/messages": "chat",
    "/v1/responses": "chat",
    "/v1/completions": "text_completion",
    "/v1/embeddings": "embeddings",
}
_COLUMNS = {
    "gen_ai.request.model": "model_requested",
    "gen_ai.response.model": "model",
    "gen_ai.response.id": "request_id",
    "gen_ai.request.stream": "stream",
    "gen_ai.conversation.id": "session_id",
    "gen_ai.response.time_to_first_chunk": "ttft_s",
    "gen_ai.usage.input_tokens": "prompt_tokens",
    "gen_ai.usage.output_tokens": "completion_tokens",
    "gen_ai.usage.cache_read.input_tokens": "cached_tokens",
    "gen_ai.usage.reasoning.output_tokens": "reasoning_tokens",
    "gen_ai.usage.image.input_tokens": "image_tokens",
    "http.response.status_code": "http_status",
    "url.path": "endpoint",
    "client.address": "client_host",
    "user_agent.original": "user_agent",
    "user.id": "user",
    "service.instance.id": "node",
    "mlx_server.outcome": "outcome",
    "mlx_server.phase": "phase",
    "mlx_server.key": "key_name",
    "mlx_server.is_estimated": "is_estimated",
    "mlx_server.queue_s": "queue_s",
    "mlx_server.prefill_s": "prefill_s",
    "mlx_server.decode_s": "decode_s",
    "mlx_server.total_s": "total_s",
    "mlx_server.tokens_per_second": "tps",
}
_PARAMETERS = {
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "top_k": "gen_ai.request.top_k",
    "seed": "gen_ai.request.seed",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "presence_penalty": "gen_ai.request.presence_penalty",
    "max_tokens": "gen_ai.request.max_tokens",
    "max_completion_tokens": "gen_ai.request.max_tokens",
}
_WELL = (Outcome.FINISHED, Outcome.CANCELLED, Outcome.RUNNING)


def span_of(row: RequestLog) -> dict[str, Any]:
    """Return a row as a span; what is not known is left out."""
    operation = _OPERATIONS.get(row.endpoint, row.endpoint)
    is_error = row.outcome not in _WELL
    return {
        "name": f"{operation} {row.model or row.model_requested}".strip(),
        "kind": "SERVER",
        "start_time_unix_nano": _nanoseconds(row.started_at),
        "end_time_unix_nano": _nanoseconds(row.finished_at),
        "status": {"code": "ERROR", "message": row.error} if is_error else {},
        "attributes": _attributes(row, operation, is_error=is_error),
    }


def _attributes(row: RequestLog, operation: str, *, is_error: bool) -> dict[str, Any]:
    attributes = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": "mlx-server",
        **{name: getattr(row, column) for name, column in _COLUMNS.items()},
        **{
            name: row.params.get(parameter)
            for parameter, name in _PARAMETERS.items()
            if parameter in row.params
        },
        "gen_ai.request.stop_sequences": _listed(row.params.get("stop")),
        "gen_ai.request.choice.count": row.choices if row.choices != 1 else None,
        "gen_ai.output.type": _OUTPUTS.get(row.structured),
        "gen_ai.response.finish_reasons": _listed(row.finish_reason),
        "error.type": (row.reason or row.outcome) if is_error else None,
        **{f"mlx_server.tag.{name}": value for name, value in row.tags.items()},
    }
    return {
        name: value for name, value in attributes.items() if value not in (None, "")
    }


_OUTPUTS = {"": "text", "json_schema": "json"}


def _listed(value: Any) -> list[Any] | None:
    if not value:
        return None
    return value if isinstance(value, list) else [value]


def _nanoseconds(at: datetime | None) -> int | None:
    """Return Unix nanoseconds, exact to the microsecond."""
    if at is None:
        return None
    return int(at.timestamp()) * 10**9 + at.microsecond * 1000
