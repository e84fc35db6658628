"""A name, then JSON, fenced before V3.1: DeepSeek R1, V3, V3.1."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from inference.dialects.dialect import Dialect, Opener
from inference.dialects.named_calls import NamedCalls

if TYPE_CHECKING:
    from inference.dialects.clues import Clues

_READ = NamedCalls(
    head=re.compile(r"(?P<name>[^\s<]+)"),
    starts=("<｜tool▁call▁begin｜>",),
    middles=("<｜tool▁sep｜>",),
    kinds=("function",),
    ends=("<｜tool▁call▁end｜>",),
    closers=("<｜tool▁calls▁end｜>",),
)
DIALECT = Dialect(
    name="deepseek",
    openers=(
        Opener("<｜tool▁calls▁begin｜>", _READ),
        Opener("<｜tool▁call▁begin｜>", _READ, keeps=True),
    ),
    form=_READ.form("<｜tool▁calls▁begin｜>"),
    variants=(
        (
            "```json",
            _READ.form(
                "<｜tool▁calls▁begin｜>",
                kind="function",
                fence=("\n```json\n", "\n```"),
                separator="\n",
            ),
        ),
    ),
)


def recognises(clues: Clues) -> bool:
    """Whether a model's template or vocabulary shows this dialect."""
    return clues.writes("<｜tool▁call▁begin｜>") or clues.knows("<｜tool▁sep｜>")
