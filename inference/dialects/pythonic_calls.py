"""Calls as Python writes them: `[f(a=1), g(b="x")]`, or one a line."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inference.dialects.dialect import CallForm
from inference.dialects.parameters import parameters_of
from inference.dialects.schema_types import finite, types_in
from inference.dialects.signatures import dumped
from inference.dialects.source import CutOffError, NotWrittenError
from inference.dialects.text_values import within
from inference.structure.patterns import CannotWriteError

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from inference.core.requests import Tool, ToolCall
    from inference.dialects.call_rules import CallRules
    from inference.dialects.dialect import CallSink
    from inference.dialects.source import Reading, Source

_NAME = re.compile(r"[A-Za-z_][\w.\-]*")
_NAME_CHARS = 256
_CONSTANTS = {"true": True, "false": False, "null": None}


@dataclass(frozen=True, slots=True)
class PythonicCalls:
    """Reads calls with keyword arguments; values are Python's literals or JSON's.

    `ends` are the texts after the block. With `in_list` they stand in brackets.
    """

    ends: tuple[str, ...] = ()
    in_list: bool = True

    def form(self, start: str, *, lead: str = "", **said: Any) -> CallForm:
        """Return how such calls are written after `start`; see `CallForm`."""
        brackets = ("[", "]") if self.in_list else ("", "")
        return CallForm(
            start,
            _written,
            lead=lead + brackets[0],
            end=brackets[1] + lead + "".join(self.ends[:1]),
            separator=", " if self.in_list else "\n",
            wraps_all=True,
            **said,
        )

    def __call__(self, source: Source, sink: CallSink) -> Reading:
        """Read a block; see `Opener`."""
        yield from source.blanks()
        in_list = yield from source.accept("[")
        if self.in_list and not in_list:
            if source.has_ended and not source.rest:
                raise CutOffError
            raise NotWrittenError("'[' was expected")
        while True:
            yield from self._call(source, sink)
            yield from source.blanks()
            if in_list and (yield from source.accept("]")):
                break
            if in_list and source.has_ended and not source.rest:
                break  # its last bracket is missing
            has_more = yield from source.accept(",", ";")
            yield from source.blanks()
            if self.ends and (yield from source.ahead(*self.ends)):
                break
            if not has_more and (in_list or not source.rest):
                break
        yield from source.blanks()
        if self.ends:
            yield from source.accept(*self.ends)

    def written(self, start: str, calls: Sequence[ToolCall]) -> str:
        """Return calls as a model would have written them, after `start`."""
        return f"{start}[{', '.join(map(_in_python, calls))}]{''.join(self.ends[:1])}"

    def _call(self, source: Source, sink: CallSink) -> Reading:
        yield from source.blanks()
        name = (yield from source.before("(", most=_NAME_CHARS)).strip()
        if not _NAME.fullmatch(name):
            raise NotWrittenError("a function's name was expected")
        sink.begin(name)
        source.take(1)
        is_first = True
        while True:
            yield from source.blanks()
            if (yield from source.accept(")")):
                break
            if not is_first:
                yield from source.expect(",")
                yield from source.blanks()
                if (yield from source.accept(")")):
                    break
            key = (yield from source.before("=", most=_NAME_CHARS)).strip()
            if not _NAME.fullmatch(key):
                raise NotWrittenError("an argument's name was expected")
            source.take(1)
            written = yield from _value(source)
            sink.write("{" if is_first else ", ")
            sink.write(f"{json.dumps(key)}: {written}")
            is_first = False
        sink.write("{}" if is_first else "}")
        sink.end()


def _written(tool: Tool, rules: CallRules, skipped: str = "") -> str:
    """Return the grammar of a call: JSON's literals, Python's words for constants."""
    found = parameters_of(tool)
    parts = []
    for name, schema, needed in found.members:
        if not _NAME.fullmatch(name):
            raise CannotWriteError("a name is none of Python's")
        literal = _literal(within(schema, found.root), rules)
        parts.append((rules.rule(f"{rules.literal(f'{name}=')} {literal}"), needed))
    if found.is_open:
        value = rules.json({})
        name = rules.terminal("/[A-Za-z_][A-Za-z0-9_]{0,63}/")
        more = f'({name} "=" {value} ", "){{0,8}} {name} "=" {value}'
        parts.append((rules.rule(more), False))
    head = rules.literal(f"{tool.name}(".removeprefix(skipped))
    return f'{head} {rules.members(parts, ", ")} ")"'


def _literal(schema: Any, rules: CallRules) -> str:
    if not isinstance(schema, dict):
        schema = {}
    types = types_in(schema, schema) or frozenset()
    words = {"boolean": (True, False), "null": (None,)}
    constants = [
        value
        for name in sorted(types & words.keys())
        for value in words[name]
        if rules.fits(schema, value)
    ]
    spelled = [f'"{value}"' for value in constants]
    if types and types <= words.keys():
        if not spelled:
            raise CannotWriteError("nothing fits")
        return rules.one_of(spelled)
    return rules.one_of((*spelled, rules.json(schema)))


def _value(source: Source) -> Generator[None, None, str]:
    """Read a literal up to the comma or bracket that follows it, as JSON."""
    follower = _Literal()
    written = ""
    yield from source.blanks()
    while True:
        for at, character in enumerate(source.rest):
            if follower.ends_before(character):
                written += source.take(at)
                return dumped(_meant(written.strip()))
        written += source.take(len(source.rest))
        yield from source.more()


class _Literal:
    """Follows a Python literal, strings of either quote and brackets in it."""

    def __init__(self) -> None:
        self._depth = 0
        self._quote = ""
        self._is_escaped = False

    def ends_before(self, character: str) -> bool:
        if self._quote:
            if self._is_escaped:
                self._is_escaped = False
            elif character == "\\":
                self._is_escaped = True
            elif character == self._quote:
                self._quote = ""
        elif character in "\"'":
            self._quote = character
        elif character in "[{(":
            self._depth += 1
        elif character in "]})":
            if not self._depth:
                return True
            self._depth -= 1
        else:
            return character == "," and not self._depth
        return False


def _in_python(call: ToolCall) -> str:
    try:
        given = json.loads(call.arguments)
    except ValueError:
        given = None
    if not isinstance(given, dict):
        return f"{call.name}({call.arguments})"
    pairs = ", ".join(f"{name}={value!r}" for name, value in given.items())
    return f"{call.name}({pairs})"


def _meant(written: str) -> Any:
    if written in _CONSTANTS:
        return _CONSTANTS[written]
    try:
        return json.loads(written, parse_float=finite)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(written)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise NotWrittenError("an argument is no literal") from error
