"""DeepSeek's own markup: V3.2 and V4."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from inference.dialects.dialect import Dialect, Opener
from inference.dialects.tagged_calls import TaggedCalls
from inference.dialects.tags import Tag

if TYPE_CHECKING:
    from inference.dialects.clues import Clues

_NAME = re.compile(r'name="([^"]+)"')
_READ = TaggedCalls(
    call=Tag("<｜DSML｜invoke", ">", "</｜DSML｜invoke>", _NAME, ' name="{name}"'),
    parameter=Tag(
        "<｜DSML｜parameter",
        ">",
        "</｜DSML｜parameter>",
        _NAME,
        ' name="{name}" string="{is_string}"',
    ),
    ends=("</｜DSML｜function_calls>", "</｜DSML｜tool_calls>"),
    typed=re.compile(r'string="(true|false)"'),
)
DIALECT = Dialect(
    name="deepseek-dsml",
    openers=(
        Opener("<｜DSML｜function_calls>", _READ),
        Opener("<｜DSML｜tool_calls>", _READ),
    ),
    form=_READ.form("<｜DSML｜function_calls>", wraps_all=True),
    variants=(
        (
            "tool_calls>",
            _READ.form(
                "<｜DSML｜tool_calls>", end="</｜DSML｜tool_calls>", wraps_all=True
            ),
        ),
    ),
)


def recognises(clues: Clues) -> bool:
    """Whether a model's template or vocabulary shows this dialect."""
    return clues.writes("｜DSML｜")
