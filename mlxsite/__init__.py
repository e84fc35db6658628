"""The composition: settings, ASGI entry, URLs, the server and its commands."""

from __future__ import annotations

__version__ = "0.1.0"
