"""The tables' history."""

from __future__ import annotations
