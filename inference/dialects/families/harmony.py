"""Messages with channels and recipients: gpt-oss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.dialects.dialect import Dialect
from inference.dialects.harmony import read_answer

if TYPE_CHECKING:
    from inference.dialects.clues import Clues

DIALECT = Dialect(name="harmony", answers=read_answer)


def recognises(clues: Clues) -> bool:
    """Whether a model's template or vocabulary shows this dialect."""
    return clues.writes("<|channel|>", "<|message|>", "<|start|>")
