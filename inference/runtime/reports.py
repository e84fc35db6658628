"""The reading side of a worker's socket: bytes to frames."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from inference.core.frames import FrameError, FrameReader

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger("inference.worker")


class ReportProtocol(asyncio.Protocol):
    """Feeds the socket's bytes to a handle, frame by frame."""

    def __init__(
        self, on_report: Callable[[Any], None], on_lost: Callable[[], None]
    ) -> None:
        self._reader = FrameReader.for_reports()
        self._on_report = on_report
        self._on_lost = on_lost
        self._transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember what to close when the peer talks nonsense."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Hand over the frames that are now complete."""
        try:
            for report in self._reader.feed(data):
                self._on_report(report)
        except FrameError:
            logger.exception("A worker sent something that is no frame")
            if self._transport is not None:
                self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Say that nothing will come any more."""
        self._on_lost()
