"""`<function name="f">` and `<param name="p">`: MiniCPM5."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from inference.dialects.dialect import Dialect, Opener
from inference.dialects.tagged_calls import TaggedCalls
from inference.dialects.tags import Tag

if TYPE_CHECKING:
    from inference.dialects.clues import Clues

_WRITES = 'name="{name}"'
_NAME = re.compile(r'name="([^"]+)"')
_READ = TaggedCalls(
    call=Tag("<function ", ">", "</function>", _NAME, _WRITES),
    parameter=Tag("<param ", ">", "</param>", _NAME, _WRITES),
)
DIALECT = Dialect(
    name="minicpm5",
    openers=(Opener("<function name=", _READ, keeps=True),),
    form=_READ.form("<function name=", keeps=True, breaks=False),
)


def recognises(clues: Clues) -> bool:
    """Whether a model's template or vocabulary shows this dialect."""
    return clues.writes("<function name=", "<param name=")
