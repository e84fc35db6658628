"""Values everyone shares; stdlib and msgspec only."""

from __future__ import annotations
