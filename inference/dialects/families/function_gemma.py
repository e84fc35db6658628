"""Calls of FunctionGemma, its texts between `<escape>`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.dialects.dialect import Dialect, Opener
from inference.dialects.gemma_calls import GemmaCalls

if TYPE_CHECKING:
    from inference.dialects.clues import Clues

_READ = GemmaCalls(
    "<escape>",
    starts=("<start_function_call>",),
    ends=("<end_function_call>",),
)
DIALECT = Dialect(
    name="function-gemma",
    openers=(Opener("<start_function_call>", _READ),),
    form=_READ.form(),
)


def recognises(clues: Clues) -> bool:
    """Whether a model's template or vocabulary shows this dialect."""
    return clues.knows("<start_function_call>")
