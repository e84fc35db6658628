"""What the runtime needs to know, independent of where it was written down."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from inference.core.limits import DEFAULT_LIMITS

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class ModelSource:
    """A model to serve: the name clients use and the directory it lies in.

    `defaults` are the sampling defaults of its entry: they stand between the
    request's own and those of the model's `generation_config.json`.
    """

    key: str
    path: Path
    kind: str = "lm"
    defaults: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RuntimeConfig:
    """Queue and time bounds. Times in seconds; `None` means no bound."""

    max_concurrency: int = 32
    queue_size: int = 100
    queue_timeout_s: float = 300.0
    request_timeout_s: float | None = None
    default_max_tokens: int = 4096
    any_model_name: bool = False
    load_timeout_s: float = 1800.0
    hang_timeout_s: float = 120.0
    stream_limit_bytes: int = DEFAULT_LIMITS.stream_buffer_bytes
    restart_backoff_s: tuple[float, ...] = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
    healthy_after_s: float = 60.0
