"""JSON after `<|function_call|>`: GigaChat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.dialects.dialect import Dialect, Opener
from inference.dialects.json_calls import JSONCalls

if TYPE_CHECKING:
    from inference.dialects.clues import Clues

_READ = JSONCalls()
DIALECT = Dialect(
    name="gigachat",
    openers=(Opener("<|function_call|>", _READ),),
    form=_READ.form("<|function_call|>", edges=("", "")),
)


def recognises(clues: Clues) -> bool:
    """Whether a model's template or vocabulary shows this dialect."""
    return clues.knows("<|function_call|>")
