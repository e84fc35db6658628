"""A list of JSON between actions: Command R7B and A."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.dialects.dialect import Dialect, Opener
from inference.dialects.json_calls import JSONCalls

if TYPE_CHECKING:
    from inference.dialects.clues import Clues

_READ = JSONCalls(ends=("<|END_ACTION|>",))
DIALECT = Dialect(
    name="command-r",
    openers=(Opener("<|START_ACTION|>", _READ),),
    form=_READ.form(
        "<|START_ACTION|>",
        keys=("tool_name", "parameters"),
        identified='"tool_call_id": "{index}", ',
        edges=("[\n    ", "\n]"),
        separator=",\n    ",
    ),
    content="<|START_RESPONSE|>",
    dropped=(
        "<|START_RESPONSE|>",
        "<|END_RESPONSE|>",
        "<|START_TEXT|>",
        "<|END_TEXT|>",
    ),
)


def recognises(clues: Clues) -> bool:
    """Whether a model's template or vocabulary shows this dialect."""
    return clues.writes("<|START_ACTION|>")
