"""`<atem:invoke>` tags: Muse."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from inference.dialects.dialect import Dialect, Opener
from inference.dialects.tagged_calls import TaggedCalls
from inference.dialects.tags import Tag

if TYPE_CHECKING:
    from inference.dialects.clues import Clues

_WRITES = ' name="{name}"'
_NAME = re.compile(r'name="([^"]+)"')
_READ = TaggedCalls(
    call=Tag("<atem:invoke", ">", "</atem:invoke>", _NAME, _WRITES),
    parameter=Tag("<atem:parameter", ">", "</atem:parameter>", _NAME, _WRITES),
    ends=("</atem:function_calls>",),
)
DIALECT = Dialect(
    name="muse",
    openers=(Opener("<atem:function_calls>", _READ),),
    form=_READ.form("<atem:function_calls>"),
)


def recognises(clues: Clues) -> bool:
    """Whether a model's template or vocabulary shows this dialect."""
    return clues.writes("<atem:function_calls>")
