"""Rows of a busy server, made in bulk: requests, their sums, samples, events.

The sums are made from the requests themselves, so that a test may compare.
"""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from inference.core.outcomes import Outcome
from metrics.histograms import INTER_TOKEN_S, TOTAL_S, TTFT_S, counted
from metrics.models import Gauge, RequestLog, Rollup, RollupLevel, ServerEventLog

if TYPE_CHECKING:
    from django.db.models import Model

MODELS = ("kimi-vl", "my_qwq", "qwen3-32b", "smollm2-135m")
KEYS = ("anna", "ben", "ci-bot", "")
ENDPOINTS = ("/v1/chat/completions", "/v1/completions")
GB = 1_000_000_000
WEIGHTS = {"kimi-vl": 17, "my_qwq": 18, "qwen3-32b": 19, "smollm2-135m": 1}
REASONS = {
    Outcome.CANCELLED: ("client_disconnected",),
    Outcome.REJECTED: ("queue_full", "insufficient_memory"),
    Outcome.INVALID: ("invalid_value",),
    Outcome.TIMED_OUT: ("queue_timeout",),
    Outcome.FAILED: ("worker_died",),
    Outcome.INTERRUPTED: ("crash",),
}
OUTCOMES = (Outcome.FINISHED, *REASONS)
ODDS = (900, 20, 20, 15, 10, 6, 2)


def request(dice: random.Random, at: datetime, **changes: Any) -> RequestLog:
    """Return an unsaved row of a request that began at `at`."""
    outcome = dice.choices(OUTCOMES, ODDS)[0]
    ran = outcome in (Outcome.FINISHED, Outcome.CANCELLED, Outcome.FAILED)
    values: dict[str, Any] = {
        "request_id": f"req-{dice.getrandbits(128):032x}",
        "node": "node",
        "boot_id": "boot",
        "started_at": at,
        "finished_at": at + timedelta(seconds=2),
        "endpoint": dice.choice(ENDPOINTS),
        "kind": "text_stream",
        "stream": True,
        "model": dice.choices(MODELS, (2, 1, 5, 2))[0],
        "key_name": dice.choices(KEYS, (3, 2, 5, 1))[0],
        "outcome": outcome,
        "phase": "decode" if ran else "received",
        "reason": dice.choice(REASONS.get(outcome, ("",))),
        "admitted": ran,
        "total_s": dice.uniform(0.5, 30),
    }
    if ran:
        values |= {
            "prompt_tokens": (prompt := dice.randrange(50, 4000)),
            "cached_tokens": int(prompt * dice.random()),
            "completion_tokens": dice.randrange(10, 600),
            "queue_s": dice.expovariate(5),
            "ttft_s": dice.lognormvariate(-1, 0.7),
            "itl_mean_s": dice.lognormvariate(-3.6, 0.3),
            "tps": dice.gauss(30, 6),
        }
    return RequestLog(**values | changes)


def rollups(rows: list[RequestLog]) -> list[Rollup]:
    """Return the unsaved sums of requests, at every level."""
    groups: dict[tuple[Any, ...], list[RequestLog]] = defaultdict(list)
    for row in rows:
        for level in RollupLevel:
            at = level.start_of(row.started_at.astimezone(UTC))
            of = (row.node, row.boot_id, row.model, row.endpoint, row.key_name)
            groups[level, at, *of].append(row)
    return [_rollup(key, of) for key, of in groups.items()]


def _rollup(key: tuple[Any, ...], of: list[RequestLog]) -> Rollup:
    names = ("level", "at", "node", "boot_id", "model", "endpoint", "key_name")
    speeds = [row.tps for row in of if row.tps is not None]
    reasons: dict[str, int] = defaultdict(int)
    ends: dict[str, int] = defaultdict(int)
    for row in of:
        ends[row.outcome] += 1
        if row.reason:
            reasons[row.reason] += 1
    sums = {
        name: sum(getattr(row, name) or 0 for row in of)
        for name in ("prompt_tokens", "cached_tokens", "completion_tokens")
    }
    return Rollup(
        **dict(zip(names, key, strict=True)),
        requests=len(of),
        **ends,
        **sums,
        reasons=reasons,
        busy_s=sum(row.total_s or 0 for row in of),
        tps_count=len(speeds),
        tps_sum=sum(speeds),
        tps_min=min(speeds, default=None),
        tps_max=max(speeds, default=None),
        ttft=counted([row.ttft_s for row in of if row.ttft_s is not None], TTFT_S),
        inter_token=counted(
            [row.itl_mean_s for row in of if row.itl_mean_s is not None], INTER_TOKEN_S
        ),
        total=counted([row.total_s for row in of if row.total_s], TOTAL_S),
        queue=counted([row.queue_s for row in of if row.queue_s is not None], TOTAL_S),
    )


def gauges(
    level: RollupLevel, at: datetime, *, looks: int = 60, **changes: Any
) -> list[Gauge]:
    """Return the unsaved samples of one span: the server and its models."""
    common = {"level": level, "at": at, "node": "node", "boot_id": "boot"} | changes
    waiting = {"waiting_sum": looks * 2, "waiting_max": 5}
    server = Gauge(**common, looks=looks, budget_bytes=144 * GB, **waiting)
    of_models = [
        Gauge(
            **common,
            model=model,
            looks=looks,
            running_sum=looks,
            running_max=2,
            memory_bytes=WEIGHTS[model] * GB,
            waiting_sum=looks // 2,
            waiting_max=2,
        )
        for model in MODELS
    ]
    return [server, *of_models]


def event(kind: str, at: datetime, detail: str = "", model: str = "") -> ServerEventLog:
    """Return an unsaved event."""
    return ServerEventLog(
        kind=kind, at=at, node="node", boot_id="boot", model=model, detail=detail
    )


def save(*batches: list[Any]) -> None:
    """Write unsaved rows of any tables."""
    by_table: dict[type[Model], list[Any]] = defaultdict(list)
    for batch in batches:
        for row in batch:
            by_table[type(row)].append(row)
    for table, rows in by_table.items():
        table._default_manager.bulk_create(rows, batch_size=500)


def seed(now: datetime, *, days: float = 1.2, per_minute: float = 3.0) -> int:
    """Fill the database with `days` of a server that was down for a while.

    Returns how many requests there are.
    """
    dice = random.Random(7)
    minutes = int(days * 1440)
    first = RollupLevel.MINUTE.start_of(now) - timedelta(minutes=minutes - 1)
    down = range(int(minutes * 0.55), int(minutes * 0.55) + min(80, minutes // 10))
    rows: list[RequestLog] = []
    samples: dict[tuple[RollupLevel, datetime], int] = defaultdict(int)
    for minute in range(minutes):
        if minute in down:
            continue
        at = first + timedelta(minutes=minute)
        for level in RollupLevel:
            samples[level, level.start_of(at)] += 60
        busy = per_minute * (1.1 if 8 <= at.hour < 19 else 0.25)
        for _ in range(int(dice.expovariate(1 / busy))):
            began = at + timedelta(seconds=dice.uniform(0, 59))
            if began < now:
                rows.append(request(dice, began))
    looked = [
        g for (level, at), n in samples.items() for g in gauges(level, at, looks=n)
    ]
    stop, start = (first + timedelta(minutes=m) for m in (down.start, down.stop))
    events = [
        event(
            "model_load",
            first + timedelta(minutes=minutes * 0.1),
            "16.8 GB in 6.1 s",
            "kimi-vl",
        ),
        event("server_stop", stop, "2 requests drained in 4.2 s"),
        event("server_start", start, "version 0.4.0"),
        event(
            "model_evict",
            first + timedelta(minutes=minutes * 0.74),
            "idle for 30 min, 18.5 GB given back",
            "my_qwq",
        ),
        event(
            "worker_died",
            first + timedelta(minutes=minutes * 0.82),
            "out of memory on the GPU; 4 requests failed",
            "qwen3-32b",
        ),
        event(
            "worker_restart",
            first + timedelta(minutes=minutes * 0.821),
            "in 5.8 s",
            "qwen3-32b",
        ),
    ]
    save(rows, rollups(rows), looked, events)
    return len(rows)
