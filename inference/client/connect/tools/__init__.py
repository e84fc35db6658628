"""One small file for each tool: what it reads, from where, and what it needs."""

from __future__ import annotations
