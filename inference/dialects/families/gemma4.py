"""Calls of Gemma 4, its texts between `<|"|>`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.dialects.dialect import Dialect, Opener
from inference.dialects.gemma_calls import GemmaCalls

if TYPE_CHECKING:
    from inference.dialects.clues import Clues

_READ = GemmaCalls('<|"|>', starts=("<|tool_call>",), ends=("<tool_call|>",))
DIALECT = Dialect(
    name="gemma4", openers=(Opener("<|tool_call>", _READ),), form=_READ.form()
)


def recognises(clues: Clues) -> bool:
    """Whether a model's template or vocabulary shows this dialect."""
    return clues.knows("<|tool_call>")
