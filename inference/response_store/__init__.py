"""Responses and conversations in the database; implements `core.stored.ResponseStore`."""

from __future__ import annotations

from inference.response_store.store import DatabaseResponseStore

__all__ = ["DatabaseResponseStore"]
