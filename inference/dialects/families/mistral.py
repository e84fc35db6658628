"""`[TOOL_CALLS]`, then a list of JSON or a name and its arguments: Mistral."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from inference.dialects.dialect import Dialect, Opener
from inference.dialects.json_calls import JSONCalls
from inference.dialects.named_calls import NamedCalls

if TYPE_CHECKING:
    from inference.dialects.clues import Clues
    from inference.dialects.dialect import CallSink
    from inference.dialects.source import Reading, Source

_LIST = JSONCalls()
_NAMED = NamedCalls(
    head=re.compile(r"(?P<name>[\w.\-]+)"),
    middles=("[CALL_ID]", "[ARGS]"),
    repeats=("[TOOL_CALLS]",),
)


def _read(source: Source, sink: CallSink) -> Reading:
    yield from source.blanks()
    is_list = yield from source.ahead("[{", "[ {", "[\n", "{")
    yield from (_LIST if is_list else _NAMED)(source, sink)


DIALECT = Dialect(
    name="mistral",
    openers=(Opener("[TOOL_CALLS]", _read),),
    form=_LIST.form("[TOOL_CALLS]", tagged=', "id": "{id}"'),
    variants=(
        (
            "[ARGS]",
            _NAMED.form(
                "[TOOL_CALLS]",
                head="{name}{tagged}",
                terminals=(("id", "/[a-zA-Z0-9]{9}/"),),
                tagged="[CALL_ID]{id}",
                between="",
            ),
        ),
    ),
)


def recognises(clues: Clues) -> bool:
    """Whether a model's template or vocabulary shows this dialect."""
    return clues.knows("[TOOL_CALLS]")
