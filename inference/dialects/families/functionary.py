"""`<function=f>{…}</function>`: Functionary 3.1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.dialects.dialect import CallForm, Dialect, Opener
from inference.dialects.json_arguments import WrittenJSON
from inference.dialects.tagged_calls import TaggedCalls
from inference.dialects.tags import Tag

if TYPE_CHECKING:
    from inference.dialects.clues import Clues

_READ = TaggedCalls(
    call=Tag("<function=", ">", "</function>"),
    parameter=Tag("<parameter=", ">", "</parameter>"),
)
DIALECT = Dialect(
    name="functionary",
    openers=(Opener("<function=", _READ, keeps=True),),
    form=CallForm("<function=", WrittenJSON("{name}>", "</function>"), between=""),
)


def recognises(clues: Clues) -> bool:
    """Whether a model's template or vocabulary shows this dialect."""
    return clues.writes("<function=", "</function>") or clues.writes(
        "{start_tag}={function_name}"
    )
