"""JSON in `<tool_call>` tags: Hermes, Qwen2.5, Qwen3, Granite 4, SmolLM3 and many more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.dialects.dialect import Dialect, Opener
from inference.dialects.json_calls import JSONCalls

if TYPE_CHECKING:
    from inference.dialects.clues import Clues

_READ = JSONCalls(ends=("</tool_call>",))
DIALECT = Dialect(
    name="hermes",
    openers=(Opener("<tool_call>", _READ),),
    form=_READ.form("<tool_call>", edges=("\n", "\n")),
)


def recognises(clues: Clues) -> bool:
    """Whether a model's template or vocabulary shows this dialect."""
    return clues.writes("<tool_call>") or clues.knows("<tool_call>", "</tool_call>")
