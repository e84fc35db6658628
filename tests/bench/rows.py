"""A record of a busy server: rows, sums, gauges and events, as many as asked for.

`python -m tests.bench.rows --rows 1000000` writes them into the configured database
(`DATABASE_URL`, else `MLX_DATA_DIR`), which must be migrated and had better be
empty. Requests come in sessions (an agent, a chat, a batch) over `--days` up to now,
more by day than by night; outcomes, models and keys are mixed as they would be.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import sys
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from metrics.models import RequestLog

DAY_S = 86_400
BATCH = 5_000
NODE = "bench"
GIB = 1024**3
CHAT = "/v1/chat/completions"
# Name, share, tokens per second alone, memory.
MODELS = (
    ("qwen3-30b", 0.45, 70.0, 18 * GIB),
    ("llama-3.2-3b", 0.30, 140.0, 3 * GIB),
    ("qwen2-vl-7b", 0.20, 60.0, 8 * GIB),
    ("gemma-3-1b", 0.05, 220.0, 1 * GIB),
)
KEYS = ("default", "ci", "agents", "notebook", "web-app", "")
AGENTS = ("OpenAI/Python 2.8.0", "opencode/1.0", "curl/8.5.0", "node-fetch/3.3")
TAGS: tuple[dict[str, str], ...] = ({}, {"team": "search"}, {"team": "docs"})
# Outcome, reason, HTTP status, share of all.
ENDS = (
    ("finished", "", 200, 0.93),
    ("cancelled", "client_disconnected", 499, 0.03),
    ("rejected", "queue_full", 429, 0.012),
    ("rejected", "insufficient_memory", 503, 0.003),
    ("invalid", "context_length_exceeded", 400, 0.008),
    ("invalid", "model_not_found", 404, 0.005),
    ("timed_out", "request_timeout", 504, 0.005),
    ("timed_out", "queue_timeout", 503, 0.003),
    ("failed", "worker_died", 503, 0.003),
    ("interrupted", "shutdown", 503, 0.001),
)
_ENDS_WEIGHTS = [end[3] for end in ENDS]
_MODEL_WEIGHTS = [model[1] for model in MODELS]
_NEVER_SEATED = {"rejected", "invalid"}


@dataclass(slots=True)
class Fleet:
    """The server runs of the time: one a week, each with its own boot id."""

    begin_s: float
    end_s: float
    boot_ids: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        weeks = math.ceil((self.end_s - self.begin_s) / (7 * DAY_S))
        self.boot_ids = [uuid.uuid4().hex for _ in range(weeks)]

    def boot_at(self, at_s: float) -> str:
        """Return the run that served at that time."""
        return self.boot_ids[int((at_s - self.begin_s) // (7 * DAY_S))]

    def spans(self) -> Iterator[tuple[str, float, float]]:
        """Yield each run with its beginning and its end."""
        for number, boot_id in enumerate(self.boot_ids):
            begin_s = self.begin_s + number * 7 * DAY_S
            yield boot_id, begin_s, min(begin_s + 7 * DAY_S, self.end_s)


def requests(count: int, fleet: Fleet, dice: random.Random) -> Iterator[RequestLog]:
    """Yield `count` ended requests, session by session in order of time."""
    begins = sorted(_begins(count // 20 + 1, fleet, dice))
    left = count
    for place, begin_s in enumerate(begins):
        size = min(left, 20 if place < len(begins) - 1 else left)
        yield from _session(begin_s, size, fleet, dice)
        left -= size


def _begins(count: int, fleet: Fleet, dice: random.Random) -> Iterator[float]:
    """Yield times when sessions begin: twice as many by day as by night."""
    while count:
        at_s = dice.uniform(fleet.begin_s, fleet.end_s - 600)
        by_day = 0.5 - 0.5 * math.cos(2 * math.pi * (at_s % DAY_S) / DAY_S)
        if dice.random() < 0.4 + 0.6 * by_day:
            count -= 1
            yield at_s


def _session(
    begin_s: float, size: int, fleet: Fleet, dice: random.Random
) -> Iterator[RequestLog]:
    model, _, speed, memory = dice.choices(MODELS, _MODEL_WEIGHTS)[0]
    common = {
        "node": NODE,
        "boot_id": fleet.boot_at(begin_s),
        "endpoint": CHAT,
        "stream": dice.random() < 0.8,
        "model_requested": model,
        "key_name": dice.choices(KEYS, (40, 20, 15, 10, 10, 5))[0],
        "client_host": f"10.0.{dice.randrange(4)}.{dice.randrange(1, 250)}",
        "user_agent": dice.choice(AGENTS),
        "user": f"user-{dice.randrange(300)}" if dice.random() < 0.6 else "",
        "session_id": f"ses_{dice.getrandbits(48):x}" if dice.random() < 0.7 else "",
        "tags": dice.choice(TAGS),
        "params": {"temperature": 0.7, "max_tokens": dice.choice((256, 1024, 4096))},
        "defaults": {"top_p": 0.8, "top_k": 20},
    }
    at_s, prompt_tokens = begin_s, dice.randrange(20, 4000)
    for number in range(size):
        at_s = min(at_s + dice.expovariate(1 / 4), fleet.end_s - 1)
        yield _request(
            common, model, (at_s, speed, memory), prompt_tokens, number, dice
        )
        prompt_tokens = min(30_000, prompt_tokens + dice.randrange(10, 600))


def _request(
    common: dict[str, Any],
    model: str,
    nature: tuple[float, float, int],
    prompt_tokens: int,
    turn: int,
    dice: random.Random,
) -> RequestLog:
    from metrics.models import RequestLog

    at_s, speed, memory = nature
    outcome, reason, status, _ = dice.choices(ENDS, _ENDS_WEIGHTS)[0]
    known = reason != "model_not_found"
    values = common | {
        "request_id": f"req-{dice.getrandbits(128):032x}",
        "started_at": datetime.fromtimestamp(at_s, UTC),
        "outcome": outcome,
        "reason": reason,
        "http_status": status,
        "model": model if known else "",
        "kind": _kind(model, common, dice),
        "phase": "queued" if outcome in _NEVER_SEATED else "decode",
        "error": f"It ended with {reason}." if reason else "",
    }
    if outcome in _NEVER_SEATED or reason == "queue_timeout":
        waited_s = 300.0 if reason == "queue_timeout" else dice.uniform(0.001, 0.05)
        values |= _refused(prompt_tokens, waited_s)
    else:
        values |= _decoded(outcome, speed, memory, prompt_tokens, turn, dice)
    values["finished_at"] = datetime.fromtimestamp(at_s + values["total_s"], UTC)
    return RequestLog(**values)


def _kind(model: str, common: dict[str, Any], dice: random.Random) -> str:
    what = "vision" if "vl" in model and dice.random() < 0.5 else "text"
    return f"{what}_stream" if common["stream"] else what


def _refused(prompt_tokens: int, waited_s: float) -> dict[str, Any]:
    return {
        "prompt_tokens": prompt_tokens,
        "is_estimated": True,
        "total_s": waited_s,
        "queue_s": waited_s,
        "refusal": {"places": 132, "taken": 132},
    }


def _decoded(
    outcome: str,
    speed: float,
    memory: int,
    prompt_tokens: int,
    turn: int,
    dice: random.Random,
) -> dict[str, Any]:
    rows = 1 + int(dice.expovariate(1 / 3))
    cached = int(prompt_tokens * dice.uniform(0.6, 0.95)) if turn else 0
    tokens = max(2, int(dice.lognormvariate(5.2, 0.8)))
    queue_s = dice.expovariate(1 / 0.8) if dice.random() < 0.2 else 0.0
    prefill_s = (prompt_tokens - cached) / 4000 + 0.02
    itl_s = rows**0.4 / speed * dice.lognormvariate(0, 0.15)
    decode_s, ttft_s = itl_s * (tokens - 1), 0.01 + queue_s + prefill_s
    finished = outcome == "finished"
    total_s = ttft_s + decode_s
    return {
        "admitted": True,
        "prompt_tokens": prompt_tokens,
        "cached_tokens": cached,
        "completion_tokens": tokens,
        "reasoning_tokens": 0,
        "words": int(tokens / 1.3),
        "characters": tokens * 4,
        "finish_reason": dice.choices(("stop", "length", "tool_calls"), (8, 1, 2))[0]
        if finished
        else "",
        "prepare_s": 0.01,
        "queue_s": queue_s,
        "prefill_s": prefill_s,
        "ttft_s": ttft_s,
        "decode_s": decode_s,
        "total_s": total_s,
        "itl_mean_s": itl_s,
        "itl_p99_s": itl_s * dice.uniform(1.1, 3),
        "tps": tokens / (total_s - queue_s),
        "decode_tps": (tokens - 1) / decode_s,
        "batch_mean": float(rows),
        "batch_max": rows + dice.randrange(3),
        "memory_bytes": memory + dice.randrange(GIB),
    }


def write_requests(count: int, fleet: Fleet, dice: random.Random) -> None:
    """Write rows in batches, and their sums at the end of each run of the server."""
    from django.db import transaction

    from metrics.models import RequestLog
    from metrics.rollups import add_requests

    batch: list[RequestLog] = []
    done = 0
    for row in requests(count, fleet, dice):
        batch.append(row)
        if len(batch) == BATCH or done + len(batch) == count:
            with transaction.atomic():
                RequestLog.objects.bulk_create(batch, batch_size=500)
                add_requests(batch)
            done += len(batch)
            batch.clear()
            _say(f"{done:,} of {count:,} rows")


def write_gauges(fleet: Fleet, dice: random.Random) -> None:
    """Write a sample for every minute, an hour at a time."""
    from django.db import transaction

    from metrics.rollups import add_samples

    for boot_id, begin_s, end_s in fleet.spans():
        at_s = begin_s // 60 * 60
        while at_s < end_s:
            with transaction.atomic():
                add_samples(
                    _sample(boot_id, at_s + 60 * minute, dice)
                    for minute in range(720)
                    if at_s + 60 * minute < end_s
                )
            at_s += 720 * 60
        _say(f"gauges up to {datetime.fromtimestamp(end_s, UTC):%Y-%m-%d}")


def _sample(boot_id: str, at_s: float, dice: random.Random) -> Any:
    from inference.core.events import ModelSample, ServerSample

    busy = max(0.0, dice.gauss(3, 3))
    models = tuple(
        ModelSample(
            model=name,
            running_sum=int(60 * busy * share),
            running_max=math.ceil(busy * share),
            waiting_sum=int(20 * share) if busy > 6 else 0,
            waiting_max=2 if busy > 6 else 0,
            memory_bytes=memory + dice.randrange(GIB),
        )
        for name, share, _, memory in MODELS
    )
    return ServerSample(
        at=at_s,
        node=NODE,
        boot_id=boot_id,
        looks=60,
        waiting_sum=sum(model.waiting_sum for model in models),
        waiting_max=sum(model.waiting_max for model in models),
        memory_bytes=sum(model.memory_bytes for model in models),
        budget_bytes=48 * GIB,
        models=models,
    )


def write_events(fleet: Fleet, dice: random.Random) -> None:
    """Write the beginning and the end of each run, and what befell its models."""
    from metrics.models import ServerEventLog

    def event(kind: str, at_s: float, boot_id: str, model: str = "") -> ServerEventLog:
        at = datetime.fromtimestamp(at_s, UTC)
        return ServerEventLog(kind=kind, at=at, node=NODE, boot_id=boot_id, model=model)

    rows = []
    for boot_id, begin_s, end_s in fleet.spans():
        rows.append(event("server_start", begin_s, boot_id))
        rows.append(event("server_stop", end_s, boot_id))
        for name, *_ in MODELS:
            rows.append(event("model_load", begin_s + 5, boot_id, name))
            for _ in range(4):
                at_s = dice.uniform(begin_s + 60, end_s)
                rows.append(event("worker_died", at_s, boot_id, name))
                rows.append(event("worker_restart", at_s + 2, boot_id, name))
    ServerEventLog.objects.bulk_create(rows, ignore_conflicts=True)


def write_all(count: int, *, days: float, seed: int, gauges: bool = True) -> None:
    """Write everything, up to now."""
    dice = random.Random(seed)
    now_s = datetime.now(UTC).timestamp()
    fleet = Fleet(now_s - days * DAY_S, now_s)
    write_requests(count, fleet, dice)
    write_events(fleet, dice)
    if gauges:
        write_gauges(fleet, dice)


def _say(text: str) -> None:
    sys.stderr.write(f"\r{text}\033[K")
    sys.stderr.flush()


def main() -> None:
    """Read the command line and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--days", type=float, default=90)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--no-gauges", action="store_true")
    asked = parser.parse_args()

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mlxsite.settings")
    import django

    django.setup()
    begun = time.monotonic()
    write_all(asked.rows, days=asked.days, seed=asked.seed, gauges=not asked.no_gauges)
    _say(f"{asked.rows:,} rows in {time.monotonic() - begun:.0f} s\n")


if __name__ == "__main__":
    main()
