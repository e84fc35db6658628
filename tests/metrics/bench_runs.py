"""Benchmarks as `mlx-server bench` keeps them, with figures that a test chooses."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from metrics.models import BenchRun


def level(concurrency: int, rate: float, **others: Any) -> dict[str, Any]:
    """Return the figures of one level."""
    spread = {"p50": 1 / rate, "p95": 2 / rate, "p99": 3 / rate}
    return {
        "concurrency": concurrency,
        "requests": 8,
        "errors": 0,
        "first_error": "",
        "prompt_tokens": 400,
        "cached_tokens": 0,
        "completion_tokens": 160,
        "wall_s": 160 / rate,
        "tokens_per_s": rate,
        "ttft": spread,
        "inter_token": spread,
        "chunk_gap": spread,
        "total": spread,
    } | others


def put_run(minutes_ago: int = 0, **values: Any) -> BenchRun:
    """Keep a run with levels 1 and 8."""
    usual = {
        "at": timezone.now() - timedelta(minutes=minutes_ago),
        "node": "studio",
        "is_near": True,
        "model": "small",
        "base_url": "http://127.0.0.1:8000/v1",
        "duration_s": 12.5,
        "hardware": {"processor": "M3", "cores": 12, "memory_bytes": 36_000_000_000},
        "versions": {"mlx": "0.32.4"},
        "parameters": {"requests": [8, 16], "rounds": 1, "max_tokens": 64},
        "levels": [level(1, 20.0), level(8, 90.0)],
    }
    return BenchRun.objects.keep(usual | values)


def put_compared(minutes_ago: int = 0, **values: Any) -> BenchRun:
    """Keep a run with a second server beside it, in two pairs."""
    pair = {
        "concurrency": 8,
        "is_this_first": True,
        "tokens_per_s": [90.0, 75.0],
        "tokens_per_s_ratio": 1.2,
        "ttft_ratio": 0.8,
        "inter_token_ratio": 0.9,
        "total_ratio": None,
    }
    ratio = {"median": 1.25, "least": 1.2, "most": 1.3}
    return put_run(
        minutes_ago,
        against_url="http://127.0.0.1:8081/v1",
        against_model="default_model",
        levels=[level(8, 90.0)],
        against_levels=[level(8, 72.0, errors=2, first_error="500: <b>out</b>")],
        pairs=[pair | {"number": 1}, pair | {"number": 2, "is_this_first": False}],
        ratios=[
            {
                "concurrency": 8,
                "pairs": 2,
                "tokens_per_s": ratio,
                "ttft": ratio,
                "inter_token": ratio,
                "total": None,
            }
        ],
        **values,
    )
