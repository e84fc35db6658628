"""A list of JSON after `<|tool_call|>`: Granite 3, Phi-4."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.dialects.dialect import Dialect, Opener
from inference.dialects.json_calls import JSONCalls

if TYPE_CHECKING:
    from inference.dialects.clues import Clues

_READ = JSONCalls(ends=("<|/tool_call|>", "</|tool_call|>"))
# It writes nothing after the list.
_GRANITE = JSONCalls().form("<|tool_call|>")
DIALECT = Dialect(
    name="granite",
    openers=(Opener("<|tool_call|>", _READ),),
    form=_GRANITE,
    dropped=("<response>", "</response>"),
)


def recognises(clues: Clues) -> bool:
    """Whether a model's template or vocabulary shows this dialect."""
    return clues.knows("<|tool_call|>")
