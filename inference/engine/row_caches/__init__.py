"""How rows lie in memory: one alone, several merged, or in slots; who decides which."""

from __future__ import annotations
