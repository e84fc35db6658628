"""Several listeners behind one: each hears everything, none can break another."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference.core.events import (
        RequestBodies,
        RequestObserver,
        RequestRecord,
        ServerEvent,
        ServerSample,
    )

logger = logging.getLogger("metrics.observers")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Observers:
    """Implements `RequestObserver` by telling `observers`, in their order."""

    observers: tuple[RequestObserver, ...]

    def request_started(self, record: RequestRecord) -> None:
        """Tell all that a request began."""
        for observer in self.observers:
            _tell(observer.request_started, record)

    def request_finished(self, record: RequestRecord) -> None:
        """Tell all that a request ended."""
        for observer in self.observers:
            _tell(observer.request_finished, record)

    def server_event(self, event: ServerEvent) -> None:
        """Tell all what happened."""
        for observer in self.observers:
            _tell(observer.server_event, event)

    def server_sample(self, sample: ServerSample) -> None:
        """Tell all what a minute was like."""
        for observer in self.observers:
            _tell(observer.server_sample, sample)

    def request_bodies(self, bodies: RequestBodies) -> None:
        """Tell all what was asked and answered."""
        for observer in self.observers:
            _tell(observer.request_bodies, bodies)


def _tell(listener: Callable[[T], None], news: T) -> None:
    try:
        listener(news)
    except Exception:
        logger.exception("An observer failed; the others are told all the same")
