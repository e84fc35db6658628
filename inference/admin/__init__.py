"""The admin's pages of models."""

from __future__ import annotations

from inference.admin.entries import ModelEntryAdmin

__all__ = ["ModelEntryAdmin"]
