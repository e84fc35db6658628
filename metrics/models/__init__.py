"""The tables: requests, server events, and how far the spool has been read."""

from __future__ import annotations

from metrics.models.events import ServerEventLog
from metrics.models.positions import SpoolPosition
from metrics.models.requests import RequestLog

__all__ = ["RequestLog", "ServerEventLog", "SpoolPosition"]
