"""The memory: one row for every request, whatever its end, and what reads it."""

from __future__ import annotations
