"""Messages with recipients, calls as `<atem:invoke>` tags: Muse."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from inference.dialects.dialect import Dialect, Opener
from inference.dialects.messages import Messages
from inference.dialects.tagged_calls import Tag, TaggedCalls

if TYPE_CHECKING:
    from inference.dialects.clues import Clues

_NAME = re.compile(r'name="([^"]+)"')
_READ = TaggedCalls(
    call=Tag("<atem:invoke", ">", "</atem:invoke>", _NAME),
    parameter=Tag("<atem:parameter", ">", "</atem:parameter>", _NAME),
    starts=("<atem:function_calls>",),
    ends=("</atem:function_calls>",),
)
_MESSAGES = Messages(
    ends=("<|eom|>", "<|eot|>"),
    thinking=re.compile(r"to=self\b"),
    recipient=re.compile(r"to=(?!user\b)([^\s<]+)"),
    call=lambda name: Opener("<atem:", _READ, keeps=True),
)
DIALECT = Dialect(name="muse", answers=_MESSAGES)


def recognises(clues: Clues) -> bool:
    """Whether a model's template or vocabulary shows this dialect."""
    return clues.writes("<atem:function_calls>")
