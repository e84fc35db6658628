"""The tables: model entries."""

from __future__ import annotations

from inference.models.entries import OPTION_FIELDS, SAMPLING_FIELDS, ModelEntry
from inference.models.validators import names_in

__all__ = ["OPTION_FIELDS", "SAMPLING_FIELDS", "ModelEntry", "names_in"]
