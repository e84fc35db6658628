"""Python's calls between marks: LFM2."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from inference.dialects.dialect import Dialect, Opener
from inference.dialects.pythonic_calls import PythonicCalls

if TYPE_CHECKING:
    from inference.dialects.clues import Clues

_START = "<|tool_call_start|>"
_READ = PythonicCalls(ends=("<|tool_call_end|>",))
DIALECT = Dialect(
    name="lfm2",
    openers=(Opener(_START, _READ),),
    form=_READ.form(_START),
    write=partial(_READ.written, _START),
)


def recognises(clues: Clues) -> bool:
    """Whether a model's template or vocabulary shows this dialect."""
    return clues.knows("<|tool_call_start|>") or clues.writes("<|tool_list_start|>")
