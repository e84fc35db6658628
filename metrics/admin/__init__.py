"""The record in the admin: to be read, filtered and searched, never changed."""

from __future__ import annotations

from metrics.admin.bench import BenchRunAdmin
from metrics.admin.events import ServerEventLogAdmin
from metrics.admin.requests import RequestLogAdmin

__all__ = ["BenchRunAdmin", "RequestLogAdmin", "ServerEventLogAdmin"]
