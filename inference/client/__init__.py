"""What talks to a server from outside: load, and later the terminal clients."""

from __future__ import annotations
