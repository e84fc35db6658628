"""Qwen3-Coder's tags in `<seed:tool_call>`: Seed-OSS."""

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
    starts=("<seed:tool_call>",),
    ends=("</seed:tool_call>",),
)
DIALECT = Dialect(
    name="seed-oss",
    openers=(Opener("<seed:tool_call>", _READ),),
    form=_READ.form("<seed:tool_call>"),
)


def recognises(clues: Clues) -> bool:
    """Whether a model's template or vocabulary shows this dialect."""
    return clues.writes("<seed:tool_call>")
