"""A list of JSON in `<TOOLCALL>`: Nemotron Nano v2."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.dialects.dialect import Dialect, Opener
from inference.dialects.json_calls import JSONCalls

if TYPE_CHECKING:
    from inference.dialects.clues import Clues

_READ = JSONCalls(ends=("</TOOLCALL>",))
DIALECT = Dialect(
    name="nemotron",
    openers=(Opener("<TOOLCALL>", _READ),),
    form=_READ.form("<TOOLCALL>"),
)


def recognises(clues: Clues) -> bool:
    """Whether a model's template or vocabulary shows this dialect."""
    return clues.writes("<TOOLCALL>")
