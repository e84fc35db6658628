"""The decode step, and how sequences end in it."""

from __future__ import annotations
