"""Sections of numbered calls: Kimi K2."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from inference.dialects.dialect import Dialect, Opener
from inference.dialects.named_calls import NamedCalls

if TYPE_CHECKING:
    from inference.dialects.clues import Clues

_READ = NamedCalls(
    head=re.compile(r"(?P<id>(?:functions\.)?(?P<name>[^:]+?)(?::\d+)?)", re.DOTALL),
    starts=("<|tool_call_begin|>",),
    middles=("<|tool_call_argument_begin|>",),
    ends=("<|tool_call_end|>",),
    closers=("<|tool_calls_section_end|>",),
)
DIALECT = Dialect(
    name="kimi-k2",
    openers=(
        Opener("<|tool_calls_section_begin|>", _READ),
        Opener("<|tool_call_begin|>", _READ, keeps=True),
    ),
    form=_READ.form(
        "<|tool_calls_section_begin|>",
        head="functions.{name}:{index}",
        terminals=(("index", "/[0-9]{1,2}/"),),
    ),
)


def recognises(clues: Clues) -> bool:
    """Whether a model's template or vocabulary shows this dialect."""
    return clues.writes("<|tool_call_argument_begin|>") or clues.writes(
        "<|tool_calls_section_begin|>"
    )
