"""Starting up: each file one step, each failure one clear line."""

from __future__ import annotations
