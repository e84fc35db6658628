"""What a terminal shows: answers while they come, comparisons, tables, progress."""

from __future__ import annotations
