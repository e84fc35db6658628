"""`mlx-server connect`: tools' own configuration for a server, written and undone."""

from __future__ import annotations
