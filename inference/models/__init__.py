"""The tables: model entries; responses and conversations that are kept for a while."""

from __future__ import annotations

from inference.models.entries import OPTION_FIELDS, SAMPLING_FIELDS, ModelEntry
from inference.models.responses import (
    ConversationItemRow,
    ConversationRow,
    ResponseRow,
)
from inference.models.validators import names_in

__all__ = [
    "OPTION_FIELDS",
    "SAMPLING_FIELDS",
    "ConversationItemRow",
    "ConversationRow",
    "ModelEntry",
    "ResponseRow",
    "names_in",
]
