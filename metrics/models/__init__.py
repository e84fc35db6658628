"""The tables: requests and what was said, sums, servers, events, benchmarks, the spool."""

from __future__ import annotations

from metrics.models.bench import BenchRun
from metrics.models.bodies import RequestBody
from metrics.models.events import ServerEventLog
from metrics.models.positions import SpoolPosition
from metrics.models.requests import RequestLog
from metrics.models.rollups import Gauge, Rollup, RollupLevel
from metrics.models.runs import ServerRun

__all__ = [
    "BenchRun",
    "Gauge",
    "RequestBody",
    "RequestLog",
    "Rollup",
    "RollupLevel",
    "ServerEventLog",
    "ServerRun",
    "SpoolPosition",
]
