"""A fenced list of JSON after `Action:`: Command R and R+ of 2024."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.dialects.dialect import Dialect, Opener
from inference.dialects.json_calls import JSONCalls

if TYPE_CHECKING:
    from inference.dialects.clues import Clues

_READ = JSONCalls()
DIALECT = Dialect(
    name="command-r-plus",
    openers=(Opener("Action:", _READ, only_first=True),),
    form=_READ.form(
        "Action:",
        edges=(" ```json\n[", "]\n```"),
        keys=("tool_name", "parameters"),
        is_mark=False,
    ),
    note="calls are read where an answer begins with them",
)


def recognises(clues: Clues) -> bool:
    """Whether a model's template or vocabulary shows this dialect."""
    return clues.writes("Action:", "tool_name")
