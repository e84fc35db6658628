"""The HTTP server process: Daphne made safe for streams, and its life from start to drain."""

from __future__ import annotations
