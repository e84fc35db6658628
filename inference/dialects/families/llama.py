"""JSON, or Python's calls, with nothing around them: Llama 3.1 to 4."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.dialects.dialect import Dialect, Opener
from inference.dialects.json_calls import JSONCalls
from inference.dialects.pythonic_calls import PythonicCalls

if TYPE_CHECKING:
    from inference.dialects.clues import Clues
    from inference.dialects.dialect import CallSink
    from inference.dialects.source import Reading, Source

_JSON = JSONCalls(separators=(";", "\n"), bare=True)
_MARKED = JSONCalls(separators=(";", "\n"))
_LIST = PythonicCalls(ends=("<|python_end|>",))


def _read_marked(source: Source, sink: CallSink) -> Reading:
    yield from source.blanks()
    is_list = yield from source.ahead("[")
    yield from (_LIST if is_list else _MARKED)(source, sink)


DIALECT = Dialect(
    name="llama",
    openers=(
        Opener("<|python_tag|>", _read_marked),
        Opener("<|python_start|>", _read_marked),
        Opener("```", _JSON, only_first=True, keeps=True),
        Opener("{", _JSON, only_first=True, keeps=True),
        Opener("[", _LIST, only_first=True, keeps=True),
    ),
    form=_JSON.form(
        "",
        keys=("name", "parameters"),
        edges=("", ""),
        separator="; ",
        is_mark=False,
    ),
    variants=(("[func_name1(", _LIST.form("", is_mark=False)),),
    marks=(
        _MARKED.form(
            "<|python_tag|>",
            keys=("name", "parameters"),
            edges=("", ""),
            separator="; ",
        ),
    ),
    note="calls have no mark of their own: they are read where an answer begins, and "
    "held to a grammar where they are forced or follow <|python_tag|>",
)


def recognises(clues: Clues) -> bool:
    """Whether a model's template or vocabulary shows this dialect."""
    return (
        clues.knows("<|python_tag|>")
        or clues.knows("<|python_start|>")
        or clues.writes("ipython")
    )
