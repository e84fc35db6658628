"""A fenced list of JSON after `Action:`: Command R and R+ of 2024."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.dialects.dialect import Dialect, Opener
from inference.dialects.json_calls import JSONCalls

if TYPE_CHECKING:
    from inference.dialects.clues import Clues

DIALECT = Dialect(
    name="command-r-plus",
    openers=(Opener("Action:", JSONCalls(), only_first=True),),
    note="calls are read where an answer begins with them",
)


def recognises(clues: Clues) -> bool:
    """Whether a model's template or vocabulary shows this dialect."""
    return clues.writes("Action:", "tool_name")
