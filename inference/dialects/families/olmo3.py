"""Python's calls, one a line: OLMo 3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.dialects.dialect import Dialect, Opener
from inference.dialects.pythonic_calls import PythonicCalls

if TYPE_CHECKING:
    from inference.dialects.clues import Clues

_READ = PythonicCalls(ends=("</function_calls>",), in_list=False)
DIALECT = Dialect(
    name="olmo3",
    openers=(Opener("<function_calls>", _READ),),
    form=_READ.form("<function_calls>", lead="\n"),
)


def recognises(clues: Clues) -> bool:
    """Whether a model's template or vocabulary shows this dialect."""
    return clues.writes("<function_calls>")
