"""One file for each way of writing calls: what it looks like, and how it is known."""

from __future__ import annotations
