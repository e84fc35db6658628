"""What a dashboard is told: the shape of it, and how it is gathered.

Nothing in a snapshot grows by itself: ages are times of day at which something
began, and the page counts from there. So two looks at a server in which nothing
happened are equal, and the second is not sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from inference.core.outcomes import ModelState, Outcome, Phase, RequestKind
from inference.core.running import places_in_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inference.core.catalog import ModelCard
    from inference.core.events import RequestRecord
    from inference.core.running import RunningRequest
    from inference.runtime.app import App

SHOWN_REQUESTS = 100
SHOWN_ENDED = 8
AGENT_CHARS = 60
ERROR_CHARS = 200


class LiveModel(msgspec.Struct, frozen=True, kw_only=True):
    """One model; sizes in bytes, `tps` over the last few seconds."""

    key: str
    state: ModelState
    source: str
    active: int
    seats: int
    waiting: int
    memory_bytes: int | None
    size_bytes: int | None
    tps: float
    progress: float | None
    error: str
    last_used_at: float | None
    in_use: int
    pinned: bool


class LiveRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One open request; `place` is its place in the model's line, from 1."""

    id: str
    endpoint: str
    kind: RequestKind
    stream: bool
    model: str
    key: str
    user: str
    session: str
    client: str
    agent: str
    started_at: float
    phase: Phase
    phase_since: float
    spent_s: dict[str, float]
    prompt_tokens: int | None
    tokens: int
    choices: int
    tps: float | None
    place: int | None
    can_cancel: bool


class LiveEnded(msgspec.Struct, frozen=True, kw_only=True):
    """One request that ended a short while ago."""

    id: str
    at: float
    outcome: Outcome
    reason: str
    model: str
    prompt_tokens: int | None
    tokens: int | None
    ttft_s: float | None
    total_s: float


class LiveTotals(msgspec.Struct, frozen=True, kw_only=True):
    """The figures above it all. `outcomes` counts since the start of this run;
    `ttft_*` are of the last hundred requests that ended.
    """

    tps: float
    open: int
    seats_taken: int
    seats: int
    waiting: int
    waiting_places: int
    outcomes: dict[str, int]
    memory_bytes: int
    budget_bytes: int
    ttft_p50_s: float | None
    ttft_p95_s: float | None


class LiveServer(msgspec.Struct, frozen=True, kw_only=True):
    """The server run, and how far its record is behind."""

    version: str
    node: str
    started_at: float
    is_draining: bool
    lag_bytes: int
    backlog_lines: int
    dropped: int
    record_error: str


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """One look at the whole server."""

    server: LiveServer
    totals: LiveTotals
    models: tuple[LiveModel, ...]
    requests: tuple[LiveRequest, ...]
    ended: tuple[LiveEnded, ...]


def take_snapshot(app: App, speeds: Mapping[str, float]) -> Snapshot:
    """Look at everything once; `speeds` are the models' tokens per second now."""
    queues = app.service.snapshot()
    recent = app.running.recent
    return Snapshot(
        server=_server(app),
        totals=LiveTotals(
            tps=round(sum(speeds.values()), 1),
            open=len(app.running),
            seats_taken=queues.active,
            seats=sum(card.max_concurrency for card in queues.models if _is_up(card)),
            waiting=queues.waiting,
            waiting_places=queues.max_waiting,
            outcomes={str(end): n for end, n in app.running.outcomes.items()},
            memory_bytes=sum(card.memory_bytes or 0 for card in queues.models),
            budget_bytes=app.service.memory_budget_bytes,
            **_first_token_times(recent),
        ),
        models=tuple(_model(card, speeds) for card in queues.models),
        requests=_requests(app.running.first(SHOWN_REQUESTS)),
        ended=tuple(_ended(record) for record in list(recent)[: -SHOWN_ENDED - 1 : -1]),
    )


def _server(app: App) -> LiveServer:
    return LiveServer(
        version=app.version,
        node=app.identity.node,
        started_at=app.started_at,
        is_draining=app.service.is_draining,
        lag_bytes=app.record.spool_lag_bytes,
        backlog_lines=app.record.backlog_lines,
        dropped=app.record.dropped_total,
        record_error=app.record.last_error,
    )


def _is_up(card: ModelCard) -> bool:
    return card.state is ModelState.READY


def _model(card: ModelCard, speeds: Mapping[str, float]) -> LiveModel:
    return LiveModel(
        key=card.key,
        state=card.state,
        source=card.source,
        active=card.active,
        seats=card.max_concurrency,
        waiting=card.waiting,
        memory_bytes=card.memory_bytes,
        size_bytes=card.size_bytes,
        tps=speeds.get(card.key, 0.0),
        progress=None if card.progress is None else round(card.progress, 2),
        error=card.error[:ERROR_CHARS],
        last_used_at=card.last_used_at,
        in_use=card.in_use,
        pinned=card.pinned,
    )


def _requests(running: Sequence[RunningRequest]) -> tuple[LiveRequest, ...]:
    places = places_in_line(running)
    return tuple(_request(request, places) for request in running)


def _request(request: RunningRequest, places: Mapping[str, int]) -> LiveRequest:
    tps = request.decode_tps
    return LiveRequest(
        id=request.request_id,
        endpoint=request.endpoint,
        kind=request.kind,
        stream=request.stream,
        model=request.model,
        key=request.key_name,
        user=request.user,
        session=request.session_id,
        client=request.client_host,
        agent=request.user_agent[:AGENT_CHARS],
        started_at=round(request.started_at, 3),
        phase=request.phase,
        phase_since=round(request.phase_since, 3),
        spent_s={phase: round(s, 3) for phase, s in request.spent_s.items()},
        prompt_tokens=request.prompt_tokens,
        tokens=request.completion_tokens,
        choices=request.choices,
        tps=None if tps is None else round(tps, 1),
        place=places.get(request.request_id),
        can_cancel=request.is_stoppable,
    )


def _ended(record: RequestRecord) -> LiveEnded:
    return LiveEnded(
        id=record.request_id,
        at=record.finished_at or record.started_at,
        outcome=record.outcome,
        reason=(record.error or record.reason)[:ERROR_CHARS],
        model=record.model or record.model_requested,
        prompt_tokens=record.prompt_tokens,
        tokens=record.completion_tokens,
        ttft_s=record.ttft_s,
        total_s=record.total_s or 0.0,
    )


def _first_token_times(recent: Sequence[RequestRecord]) -> dict[str, float | None]:
    times = sorted(r.ttft_s for r in recent if r.ttft_s is not None)
    if not times:
        return {"ttft_p50_s": None, "ttft_p95_s": None}
    last = len(times) - 1
    return {
        "ttft_p50_s": round(times[last // 2], 3),
        "ttft_p95_s": round(times[round(last * 0.95)], 3),
    }
