"""Keys and values as tags: GLM-4.5 to 4.7, Ling 3, Laguna, Spark."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.dialects.dialect import Dialect, Opener
from inference.dialects.key_value_calls import KeyValueCalls

if TYPE_CHECKING:
    from inference.dialects.clues import Clues

DIALECT = Dialect(name="glm", openers=(Opener("<tool_call>", KeyValueCalls()),))


def recognises(clues: Clues) -> bool:
    """Whether a model's template or vocabulary shows this dialect."""
    return clues.writes("<arg_key>")
