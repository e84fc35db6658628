"""GLM's tags with a suffix, in a block: Hunyuan 3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.dialects.dialect import Dialect, Opener
from inference.dialects.key_value_calls import KeyValueCalls

if TYPE_CHECKING:
    from inference.dialects.clues import Clues

_SUFFIX = ":opensource"
_READ = KeyValueCalls(
    suffix=_SUFFIX,
    separator=f"<tool_sep{_SUFFIX}>",
    closers=(f"</tool_calls{_SUFFIX}>",),
)
DIALECT = Dialect(
    name="hunyuan",
    openers=(
        Opener(f"<tool_calls{_SUFFIX}>", _READ),
        Opener(f"<tool_call{_SUFFIX}>", _READ, keeps=True),
    ),
    form=_READ.form(f"<tool_calls{_SUFFIX}>"),
)


def recognises(clues: Clues) -> bool:
    """Whether a model's template or vocabulary shows this dialect."""
    return clues.writes(_SUFFIX, "<tool_calls")
