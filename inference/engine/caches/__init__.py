"""Keys and values: a row's caches, what they cost, what is kept of them."""

from __future__ import annotations
