"""`mlx-server doctor`: looks at everything a start needs, each look within its time."""

from __future__ import annotations
