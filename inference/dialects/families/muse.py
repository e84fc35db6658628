"""Messages with recipients, calls as `<atem:invoke>` tags: Muse."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from inference.dialects.dialect import Dialect, Opener, ThinkingTags
from inference.dialects.messages import MESSAGE, START, MessageReader
from inference.dialects.tagged_calls import TaggedCalls
from inference.dialects.tags import Tag

if TYPE_CHECKING:
    from inference.dialects.clues import Clues

_BLOCK = "<atem:function_calls>"
_WRITES = ' name="{name}"'
_NAME = re.compile(r'name="([^"]+)"')
_READ = TaggedCalls(
    call=Tag("<atem:invoke", ">", "</atem:invoke>", _NAME, _WRITES),
    parameter=Tag("<atem:parameter", ">", "</atem:parameter>", _NAME, _WRITES),
    starts=(_BLOCK,),
    ends=("</atem:function_calls>",),
)
_MESSAGES = MessageReader(
    ends=("<|eom|>", "<|eot|>"),
    thinking=re.compile(r"to=self\b"),
    recipient=re.compile(r"to=(?!user\b|self\b)([^\s<]+)"),
    call=lambda name: Opener("<atem:", _READ, keeps=True),
)
DIALECT = Dialect(
    name="muse",
    thinking=(ThinkingTags(f" to=self{MESSAGE}", "<|eom|>"),),
    answers=_MESSAGES,
    form=_READ.form(
        " to=",
        heading=f"{{name}}{MESSAGE}{_BLOCK}\n",
        lead="",
        between=f"<|eom|>{START}assistant",
        is_mark=False,
    ),
    marks=(_READ.form(_BLOCK),),
    content=MESSAGE,
    breaks=(START, MESSAGE, "<|eot|>"),
    resumes=f"{START}assistant",
)


def recognises(clues: Clues) -> bool:
    """Whether a model's template or vocabulary shows this dialect."""
    return clues.writes("<atem:function_calls>")
