"""Messages with channels and recipients: gpt-oss."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from inference.dialects.dialect import Dialect, Opener
from inference.dialects.messages import MESSAGE, JSONArguments, Messages

if TYPE_CHECKING:
    from inference.dialects.clues import Clues

_CHANNEL = "<|channel|>"
_MESSAGES = Messages(
    ends=("<|end|>", "<|call|>", "<|return|>"),
    thinking=re.compile(r"<\|channel\|>\s*analysis\b"),
    recipient=re.compile(r"to=(?!assistant\b)(?:functions\.)?([^\s<]+)"),
    call=lambda name: Opener(MESSAGE, JSONArguments(name), keeps=True),
    heads=(_CHANNEL,),
)
DIALECT = Dialect(name="harmony", answers=_MESSAGES)


def recognises(clues: Clues) -> bool:
    """Whether a model's template or vocabulary shows this dialect."""
    return clues.writes(_CHANNEL, MESSAGE, "<|start|>")
