"""DeepSeek's own markup: V3.2 and V4."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from inference.dialects.dialect import Dialect, Opener
from inference.dialects.tagged_calls import Tag, TaggedCalls

if TYPE_CHECKING:
    from inference.dialects.clues import Clues

_NAME = re.compile(r'name="([^"]+)"')
_READ = TaggedCalls(
    call=Tag("<｜DSML｜invoke", ">", "</｜DSML｜invoke>", _NAME),
    parameter=Tag("<｜DSML｜parameter", ">", "</｜DSML｜parameter>", _NAME),
    ends=("</｜DSML｜function_calls>", "</｜DSML｜tool_calls>"),
    typed=re.compile(r'string="(true|false)"'),
)
DIALECT = Dialect(
    name="deepseek-dsml",
    openers=(
        Opener("<｜DSML｜function_calls>", _READ),
        Opener("<｜DSML｜tool_calls>", _READ),
    ),
)


def recognises(clues: Clues) -> bool:
    """Whether a model's template or vocabulary shows this dialect."""
    return clues.writes("｜DSML｜")
