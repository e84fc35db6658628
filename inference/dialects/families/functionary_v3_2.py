"""Sections that begin with a recipient's name: Functionary 3.2."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.dialects.dialect import CallForm, Dialect, Opener
from inference.dialects.json_arguments import WrittenJSON
from inference.dialects.source import CutOffError, NotWrittenError

if TYPE_CHECKING:
    from inference.dialects.answers import AnswerParser
    from inference.dialects.clues import Clues
    from inference.dialects.dialect import CallSink
    from inference.dialects.source import Reading, Source

_SECTION = ">>>"
_EVERYBODY = "all"
_NAME_CHARS = 256


def _read_answer(answer: AnswerParser) -> Reading:
    """Read sections; the prompt has begun the first."""
    source = answer.source
    while not answer.is_over:
        yield from source.accept(_SECTION)
        try:
            name, _ = yield from source.until("\n", most=_NAME_CHARS)
        except NotWrittenError:
            name = _EVERYBODY
        if name.strip() == _EVERYBODY:
            try:
                yield from source.before(_SECTION, pipe=answer.show)
            except CutOffError:
                answer.show(source.take(len(source.rest)))
                raise
        else:
            yield from answer.read_call(Opener("", _BodyCall(name.strip()), keeps=True))
            yield from source.blanks()
        if source.has_ended and not source.rest:
            return


class _BodyCall:
    """Reads a call's arguments; its name stood in the line before."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, source: Source, sink: CallSink) -> Reading:
        sink.begin(self._name)
        yield from source.json(sink.write)
        sink.end()


DIALECT = Dialect(
    name="functionary-3.2",
    answers=_read_answer,
    form=CallForm("", WrittenJSON("{name}\n"), between=_SECTION, is_mark=False),
    content=f"{_EVERYBODY}\n",
    note="calls are named in the line before them: a grammar holds forced ones only",
)


def recognises(clues: Clues) -> bool:
    """Whether a model's template or vocabulary shows this dialect."""
    return clues.writes(">>>all\\n") or clues.writes(">>>all\n")
