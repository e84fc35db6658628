"""What the runtime needs to know, independent of where it was written down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inference.core.limits import DEFAULT_LIMITS

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class RuntimeConfig:
    """Queue, time and memory bounds. Times in seconds; `None` means no bound.

    A budget of 0 bytes is what a machine of `machine_bytes` can spare; a time to live
    of 0 is for ever. A model is quarantined after `quarantine_after` deaths of its
    worker in a row. `prompt_cache_bytes` are what each model may keep of prompts and
    answers; `None` is a share of the budget. `openblas` is what workers preload, if
    they need one; those that compute share the `cores`; 0: they
    use as many threads as the user said. `claude_model` answers for names of Claude's
    that nobody else has: a model's name, or `default`.
    """

    max_concurrency: int = 32
    queue_size: int = 100
    queue_timeout_s: float = 300.0
    request_timeout_s: float | None = None
    default_max_tokens: int = 4096
    any_model_name: bool = False
    claude_model: str = ""
    load_timeout_s: float = 1800.0
    hang_timeout_s: float = 120.0
    stream_limit_bytes: int = DEFAULT_LIMITS.stream_buffer_bytes
    restart_backoff_s: tuple[float, ...] = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
    healthy_after_s: float = 60.0
    quarantine_after: int = 5
    memory_budget_bytes: int = 0
    machine_bytes: int = 0
    default_ttl_s: float = 0.0
    allow_on_demand: bool = True
    has_spare_worker: bool = True
    prompt_cache_bytes: int | None = None
    openblas: Path | None = None
    cores: int = 0
