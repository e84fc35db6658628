"""JSON in `<longcat_tool_call>`: LongCat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.dialects.dialect import Dialect, Opener
from inference.dialects.json_calls import JSONCalls

if TYPE_CHECKING:
    from inference.dialects.clues import Clues

_READ = JSONCalls(ends=("</longcat_tool_call>",))
DIALECT = Dialect(
    name="longcat",
    openers=(Opener("<longcat_tool_call>", _READ),),
    form=_READ.form("<longcat_tool_call>", edges=("\n", "\n")),
)


def recognises(clues: Clues) -> bool:
    """Whether a model's template or vocabulary shows this dialect."""
    return clues.writes("<longcat_tool_call>")
