"""`mlx-server doctor`: probes all that a start needs, each with a time limit."""

from __future__ import annotations
