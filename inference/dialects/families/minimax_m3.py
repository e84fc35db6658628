"""Tags in tags, each after a mark of its own: MiniMax-M3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.dialects.dialect import Dialect, Opener
from inference.dialects.nested_calls import NestedCalls

if TYPE_CHECKING:
    from inference.dialects.clues import Clues

_MARK = "]<]minimax[>["
_READ = NestedCalls(_MARK, ends=(f"{_MARK}</tool_call>",))
DIALECT = Dialect(
    name="minimax-m3",
    openers=(Opener(f"{_MARK}<tool_call>", _READ),),
    form=_READ.form(f"{_MARK}<tool_call>"),
)


def recognises(clues: Clues) -> bool:
    """Whether a model's template or vocabulary shows this dialect."""
    return clues.writes(_MARK)
