"""Configuration files of others: what is set in them, and nothing else changed."""

from __future__ import annotations
