"""JSON in `<tool_calls>`, a list or one a line: Apriel, Hunyuan A13B, MiniMax-M1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.dialects.dialect import Dialect, Opener
from inference.dialects.json_calls import JSONCalls

if TYPE_CHECKING:
    from inference.dialects.clues import Clues

_READ = JSONCalls(ends=("</tool_calls>",), separators=("\n", ","))
DIALECT = Dialect(
    name="apriel",
    openers=(Opener("<tool_calls>", _READ),),
    form=_READ.form("<tool_calls>"),
    dropped=("[END FINAL RESPONSE]", "<|end|>"),
)


def recognises(clues: Clues) -> bool:
    """Whether a model's template or vocabulary shows this dialect."""
    return clues.writes("<tool_calls>")
