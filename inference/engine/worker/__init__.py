"""The worker process: its commands, its prompts, its loop on the MLX thread."""

from __future__ import annotations
