"""This server run in figures for Prometheus: counted in memory, shown at `/metrics`."""

from __future__ import annotations

from metrics.prometheus.counts import RunCounts
from metrics.prometheus.exposition import PrometheusExposition

__all__ = ["PrometheusExposition", "RunCounts"]
