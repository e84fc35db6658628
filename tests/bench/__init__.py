"""Measurements, run by hand: python -m tests.bench.NAME MODEL_DIR."""

from __future__ import annotations
