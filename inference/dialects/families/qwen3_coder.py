"""Functions and parameters as tags: Qwen3-Coder, Qwen3.5, Nemotron 3, Step 3.5."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.dialects.dialect import Dialect, Opener
from inference.dialects.tagged_calls import TaggedCalls
from inference.dialects.tags import Tag

if TYPE_CHECKING:
    from inference.dialects.clues import Clues

_READ = TaggedCalls(
    call=Tag("<function=", ">", "</function>"),
    parameter=Tag("<parameter=", ">", "</parameter>"),
    starts=("<tool_call>",),
    ends=("</tool_call>",),
    trims=True,
)
_SLIP = "a tool call without its opener was read"
DIALECT = Dialect(
    name="qwen3-coder",
    openers=(
        Opener("<tool_call>", _READ),
        Opener("<function=", _READ, keeps=True, slip=_SLIP),
    ),
    form=_READ.form("<tool_call>", shares=True),
    marks=(_READ.form("<function=", keeps=True, lead=""),),
)


def recognises(clues: Clues) -> bool:
    """Whether a model's template or vocabulary shows this dialect."""
    return clues.writes("<function=", "<parameter=") and not clues.writes("<seed:")
