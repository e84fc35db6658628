"""The device that MLX computes on: its name, its memory, and the BLAS behind it."""

from __future__ import annotations
