"""Queues, workers and the singleton service; no ORM, no web framework, no MLX."""

from __future__ import annotations
