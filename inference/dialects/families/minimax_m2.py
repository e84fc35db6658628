"""`<invoke>` tags: MiniMax-M2."""

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
    call=Tag("<invoke", ">", "</invoke>", _NAME, _WRITES),
    parameter=Tag("<parameter", ">", "</parameter>", _NAME, _WRITES),
    ends=("</minimax:tool_call>",),
)
DIALECT = Dialect(
    name="minimax-m2",
    openers=(Opener("<minimax:tool_call>", _READ),),
    form=_READ.form("<minimax:tool_call>", wraps_all=True),
)


def recognises(clues: Clues) -> bool:
    """Whether a model's template or vocabulary shows this dialect."""
    return clues.writes("<minimax:tool_call>")
