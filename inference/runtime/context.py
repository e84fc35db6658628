"""What everything in the runtime shares: settings, time, waiting places, a voice."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inference.core.models import ModelSource

if TYPE_CHECKING:
    from inference.core.timing import Clock
    from inference.images.loader import ImageLoader
    from inference.runtime.admission import WaitingRoom
    from inference.runtime.checkers import Checkers
    from inference.runtime.config import RuntimeConfig
    from inference.runtime.spare import SpareWorker

# `publish(kind, model=…, detail=…, data=…)`
Publish = Callable[..., None]
# Looks at a model's files: as `folders.look_at`.
LookAt = Callable[[ModelSource], Awaitable[ModelSource]]


@dataclass(frozen=True, slots=True)
class RuntimeContext:
    """One per service; `publish` tells that something happened to a model."""

    config: RuntimeConfig
    clock: Clock
    waiting: WaitingRoom
    spare: SpareWorker
    look_at: LookAt
    images: ImageLoader
    publish: Publish
    checkers: Checkers
