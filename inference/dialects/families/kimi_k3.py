"""Tags of special tokens: Kimi K3."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from inference.dialects.dialect import Dialect, Opener
from inference.dialects.tagged_calls import Tag, TaggedCalls

if TYPE_CHECKING:
    from inference.dialects.clues import Clues

_READ = TaggedCalls(
    call=Tag(
        "<|open|>call ",
        "<|sep|>",
        "<|close|>call<|sep|>",
        re.compile(r'tool="([^"]+)"'),
    ),
    parameter=Tag(
        "<|open|>argument ",
        "<|sep|>",
        "<|close|>argument<|sep|>",
        re.compile(r'key="([^"]+)"'),
    ),
    starts=("<|open|>tools<|sep|>",),
    ends=("<|close|>tools<|sep|>",),
    typed=re.compile(r'type="(\w+)"'),
    whole=Tag("<|open|>json", "<|sep|>", "<|close|>json<|sep|>"),
)
DIALECT = Dialect(
    name="kimi-k3",
    openers=(
        Opener("<|open|>tools<|sep|>", _READ),
        Opener("<|open|>call ", _READ, keeps=True),
    ),
    dropped=(
        "<|open|>response<|sep|>",
        "<|close|>response<|sep|>",
        "<|close|>message<|sep|>",
        "<|end_of_msg|>",
    ),
)


def recognises(clues: Clues) -> bool:
    """Whether a model's template or vocabulary shows this dialect."""
    return clues.knows("<|open|>", "<|close|>", "<|sep|>")
