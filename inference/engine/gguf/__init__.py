"""GGUF files made into folders that MLX loads; it runs in a process of its own."""

from __future__ import annotations
