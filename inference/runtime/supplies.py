"""What a service is given to work with: workers, models, images."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inference.core.catalog import NoCatalog
from inference.images.loader import ImageLoader
from inference.library.hub import Downloads
from inference.runtime.cores import CoreShare
from inference.runtime.folders import look_at
from inference.runtime.worker import WorkerHandle

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference.core.catalog import ModelCatalog
    from inference.runtime.config import RuntimeConfig
    from inference.runtime.context import LookAt
    from inference.runtime.loading import Fetches
    from inference.runtime.worker_protocol import Worker


def worker_processes(config: RuntimeConfig) -> Callable[[], Worker]:
    """Return what makes the workers of one service: they share the cores."""
    cores = CoreShare(config.cores) if config.openblas and config.cores else None
    return lambda: WorkerHandle(
        stream_limit_bytes=config.stream_limit_bytes,
        openblas=config.openblas,
        cores=cores,
    )


@dataclass(frozen=True, slots=True)
class Supplies:
    """Where a service gets workers, models and images from."""

    workers: Callable[[RuntimeConfig], Callable[[], Worker]] = worker_processes
    look_at: LookAt = look_at
    catalog: ModelCatalog = field(default_factory=NoCatalog)
    fetches: Fetches = field(default_factory=Downloads)
    images: ImageLoader = field(default_factory=ImageLoader)
