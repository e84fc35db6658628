"""Everything that touches MLX; only the worker process imports this room."""

from __future__ import annotations
