"""Why a start was refused."""

from __future__ import annotations


class StartupError(Exception):
    """The server cannot start; the message is the one line its operator reads."""
