"""What speeds up the rows of one model that decode alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.engine.speculation.drafting import Speculator
from inference.engine.speculation.lookup import lookup_for

if TYPE_CHECKING:
    from inference.engine.loading.text_model import TextModel
    from inference.engine.speculation.draft_model import DraftModel
    from inference.engine.speculation.verifying import Speculation


def speculation_for(text: TextModel, draft: DraftModel | None) -> Speculation | None:
    """Return the draft model at work where it can be used, otherwise prompt lookup."""
    if draft is not None and draft.model is not None:
        return Speculator(text.model, draft)
    return lookup_for(text)
