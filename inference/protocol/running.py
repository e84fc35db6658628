"""The requests under way in the shape of `GET /v1/queue/requests`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inference.core.running import places_in_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference.core.running import RunningRequest


def running_body(
    requests: Sequence[RunningRequest], *, total: int, now: float
) -> dict[str, Any]:
    """List requests, oldest first; `total` are open, `now` is the time of day."""
    places = places_in_line(requests)
    return {
        "object": "list",
        "total": total,
        "data": [_request(each, places.get(each.request_id), now) for each in requests],
    }


def _request(request: RunningRequest, place: int | None, now: float) -> dict[str, Any]:
    speed = request.decode_tps
    return {
        "id": request.request_id,
        "object": "queue.request",
        "endpoint": request.endpoint,
        "model": request.model,
        "kind": request.kind,
        "stream": request.stream,
        "phase": request.phase,
        "place": place,
        "started_at": round(request.started_at, 3),
        "age_s": max(0.0, round(now - request.started_at, 3)),
        "phase_s": max(0.0, round(now - request.phase_since, 3)),
        "prompt_tokens": request.prompt_tokens,
        "completion_tokens": request.completion_tokens,
        "tokens_per_s": None if speed is None else round(speed, 1),
        "choices": request.choices,
        "key": request.key_name,
        "user": request.user,
        "client": request.client_host,
    }
