"""Which work a model is made for: refused before anything of it is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.core.errors import WrongModelKindError
from inference.core.models import ENCODER

if TYPE_CHECKING:
    from inference.core.models import ModelSource


def refuse_to_write(model: ModelSource) -> None:
    """Refuse an answer of what writes none.

    Raises:
        WrongModelKindError: it is an encoder.
    """
    if model.kind == ENCODER:
        raise WrongModelKindError(
            f"The model `{model.key}` is an encoder: it makes embeddings or scores, "
            "and writes no text.",
            param="model",
        )


def refuse_to_encode(model: ModelSource) -> None:
    """Refuse embeddings of what makes none.

    Raises:
        WrongModelKindError: it is a model for text without that option.
    """
    if model.kind != ENCODER and not model.options.embeddings:
        raise WrongModelKindError(
            f"The model `{model.key}` writes text and makes no embeddings. Name an "
            "embedding model, or set `embeddings = true` for this one.",
            param="model",
        )
