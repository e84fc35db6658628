"""An id, a name and JSON between marks: Solar."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from inference.dialects.dialect import Dialect, Opener
from inference.dialects.named_calls import NamedCalls

if TYPE_CHECKING:
    from inference.dialects.clues import Clues

_READ = NamedCalls(
    head=re.compile(r"(?P<id>[^<]*)<\|tool_call:name\|>(?P<name>[^<]+)", re.DOTALL),
    middles=("<|tool_call:args|>",),
    repeats=("<|tool_call:begin|>",),
    ends=("<|tool_call:end|>",),
    closers=("<|calls|>",),
)
DIALECT = Dialect(
    name="solar",
    openers=(Opener("<|tool_call:begin|>", _READ),),
    form=_READ.form(
        "<|tool_call:begin|>",
        head="{id}<|tool_call:name|>{name}",
        terminals=(("id", "/[a-z0-9]{10}/"),),
        between="",
    ),
    dropped=("<|begin|>assistant", "<|content|>", "<|tool_calls|>", "<|end|>"),
)


def recognises(clues: Clues) -> bool:
    """Whether a model's template or vocabulary shows this dialect."""
    return clues.writes("<|tool_call:begin|>")
