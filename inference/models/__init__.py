"""The tables: model entries."""

from __future__ import annotations

from inference.models.entries import OPTION_FIELDS, SAMPLING_FIELDS, ModelEntry

__all__ = ["OPTION_FIELDS", "SAMPLING_FIELDS", "ModelEntry"]
