"""Calls named by their key: Apertus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.dialects.dialect import Dialect, Opener
from inference.dialects.json_calls import JSONCalls

if TYPE_CHECKING:
    from inference.dialects.clues import Clues

_READ = JSONCalls(ends=("<|tools_suffix|>",), named_by_key=True)
DIALECT = Dialect(
    name="apertus",
    openers=(Opener("<|tools_prefix|>", _READ),),
    form=_READ.form("<|tools_prefix|>"),
)


def recognises(clues: Clues) -> bool:
    """Whether a model's template or vocabulary shows this dialect."""
    return clues.writes("<|tools_prefix|>")
