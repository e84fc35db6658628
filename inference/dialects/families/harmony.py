"""Messages with channels and recipients: gpt-oss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.dialects.dialect import CallForm, Dialect, ThinkingTags
from inference.dialects.harmony import CHANNEL, END, MESSAGE, START, read_answer
from inference.dialects.json_arguments import JSONArguments

if TYPE_CHECKING:
    from inference.dialects.clues import Clues

_RECIPIENT = " to=functions."
# As its history is rendered, and as models write it now and then.
_EARLY = CallForm(
    f"{START}assistant{_RECIPIENT}",
    JSONArguments(f"{{name}}{CHANNEL}commentary json{MESSAGE}"),
    most=1,
)
DIALECT = Dialect(
    name="harmony",
    thinking=(ThinkingTags(f"{CHANNEL}analysis{MESSAGE}", END),),
    answers=read_answer,
    form=CallForm(
        f"{CHANNEL}commentary{_RECIPIENT}",
        JSONArguments(f"{{name}} <|constrain|>json{MESSAGE}"),
        most=1,
    ),
    marks=(_EARLY,),
    content=f"{CHANNEL}final{MESSAGE}",
    resumes=f"{START}assistant",
    note="an answer holds one call: its end is the answer's",
)


def recognises(clues: Clues) -> bool:
    """Whether a model's template or vocabulary shows this dialect."""
    return clues.writes("<|channel|>", "<|message|>", "<|start|>")
