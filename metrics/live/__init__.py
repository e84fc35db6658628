"""What the server does at this moment, for all dashboards at once."""

from __future__ import annotations

from metrics.live.board import LiveBoard, Update, board_of

__all__ = ["LiveBoard", "Update", "board_of"]
