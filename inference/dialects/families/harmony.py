"""Messages with channels and recipients: gpt-oss."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from inference.dialects.dialect import CallForm, Dialect, Opener, ThinkingTags
from inference.dialects.json_arguments import WrittenJSON
from inference.dialects.messages import MESSAGE, START, JSONArguments, MessageReader

if TYPE_CHECKING:
    from inference.dialects.clues import Clues

_CHANNEL, _END = "<|channel|>", "<|end|>"
_RECIPIENT = " to=functions."
_MESSAGES = MessageReader(
    ends=(_END, "<|call|>", "<|return|>"),
    thinking=re.compile(r"<\|channel\|>\s*analysis\b"),
    recipient=re.compile(r"to=(?!assistant\b)(?:functions\.)?([^\s<]+)"),
    call=lambda name: Opener(MESSAGE, JSONArguments(name), keeps=True),
    heads=(_CHANNEL,),
)
# As its history is rendered, and as models write it now and then.
_EARLY = CallForm(
    f"{START}assistant{_RECIPIENT}",
    WrittenJSON(f"{{name}}{_CHANNEL}commentary json{MESSAGE}"),
    most=1,
)
DIALECT = Dialect(
    name="harmony",
    thinking=(ThinkingTags(f"{_CHANNEL}analysis{MESSAGE}", _END),),
    answers=_MESSAGES,
    form=CallForm(
        f"{_CHANNEL}commentary{_RECIPIENT}",
        WrittenJSON(f"{{name}} <|constrain|>json{MESSAGE}"),
        most=1,
    ),
    marks=(_EARLY,),
    content=f"{_CHANNEL}final{MESSAGE}",
    breaks=(START, _CHANNEL, MESSAGE, "<|constrain|>", "<|call|>", "<|return|>"),
    resumes=f"{START}assistant",
    note="an answer holds one call: its end is the answer's",
)


def recognises(clues: Clues) -> bool:
    """Whether a model's template or vocabulary shows this dialect."""
    return clues.writes(_CHANNEL, MESSAGE, "<|start|>")
