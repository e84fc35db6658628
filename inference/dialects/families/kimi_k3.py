"""Tags of special tokens: Kimi K3."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from inference.dialects.dialect import Dialect, Opener
from inference.dialects.tagged_calls import TaggedCalls
from inference.dialects.tags import Tag

if TYPE_CHECKING:
    from inference.dialects.clues import Clues

_READ = TaggedCalls(
    call=Tag(
        "<|open|>call ",
        "<|sep|>",
        "<|close|>call<|sep|>",
        re.compile(r'tool="([^"]+)"'),
        'tool="{name}" index="{index}"',
    ),
    parameter=Tag(
        "<|open|>argument ",
        "<|sep|>",
        "<|close|>argument<|sep|>",
        re.compile(r'key="([^"]+)"'),
        'key="{name}" type="{type}"',
    ),
    starts=("<|open|>tools<|sep|>",),
    ends=("<|close|>tools<|sep|>",),
    typed=re.compile(r'type="(\w+)"'),
    whole=Tag(
        "<|open|>json",
        "<|sep|>",
        "<|close|>json<|sep|>",
        writes=' type="object"',
    ),
)
DIALECT = Dialect(
    name="kimi-k3",
    openers=(
        Opener("<|open|>tools<|sep|>", _READ),
        Opener("<|open|>call ", _READ, keeps=True),
    ),
    form=_READ.form(
        "<|open|>tools<|sep|>",
        breaks=False,
        wraps_all=True,
        before="<|open|>response<|sep|><|close|>response<|sep|>",
    ),
    content="<|open|>response<|sep|>",
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
