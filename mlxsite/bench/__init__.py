"""`mlx-server bench`: its options, what it prints, and what is kept of a run."""

from __future__ import annotations
