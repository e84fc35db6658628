"""Keys and values as tags: GLM-4.5 to 4.7, Ling 3, Laguna, Spark."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.dialects.dialect import Dialect, Opener
from inference.dialects.key_value_calls import KeyValueCalls

if TYPE_CHECKING:
    from inference.dialects.clues import Clues

_READ = KeyValueCalls()
DIALECT = Dialect(
    name="glm",
    openers=(Opener("<tool_call>", _READ),),
    form=_READ.form("<tool_call>"),
    # GLM-4.7 and those after it.
    variants=(
        ("{function-name}<arg_key>", _READ.form("<tool_call>", breaks=False)),
        ('"<arg_key>" ~ k', _READ.form("<tool_call>", breaks=False)),
    ),
)


def recognises(clues: Clues) -> bool:
    """Whether a model's template or vocabulary shows this dialect."""
    return clues.writes("<arg_key>")
