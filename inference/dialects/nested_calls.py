"""Calls as tags named like their parameters, objects and lists as tags in tags."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inference.dialects.dialect import CallForm
from inference.dialects.nested_arguments import NestedArguments
from inference.dialects.schema_types import Types, resolved, to_value, types_in
from inference.dialects.signatures import dumped
from inference.dialects.source import CutOffError, NotWrittenError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from inference.dialects.dialect import CallSink
    from inference.dialects.signatures import Signature
    from inference.dialects.source import Reading, Source

_NAME = re.compile(r'name="([^"]+)"')
_NAME_CHARS = 256
_DEPTH_MOST = 32
_EMPTY: dict[Types | None, Callable[[], Any]] = {
    frozenset({"array"}): list,
    frozenset({"object"}): dict,
}


@dataclass(frozen=True, slots=True)
class NestedCalls:
    """Reads `PREFIX<invoke name="f">PREFIX<key>value PREFIX</key>…PREFIX</invoke>`.

    A list's members stand between `<item>` tags. `ends` close the block.
    """

    prefix: str
    ends: tuple[str, ...]

    def form(self, start: str) -> CallForm:
        """Return how such calls are written after `start`; see `CallForm`."""
        return CallForm(
            start,
            NestedArguments(self.prefix),
            lead="\n",
            end=self.ends[0],
            wraps_all=True,
            is_typed=True,
        )

    def __call__(self, source: Source, sink: CallSink) -> Reading:
        """Read a block; see `Opener`."""
        start, end = f"{self.prefix}<invoke", f"{self.prefix}</invoke>"
        has_call = False
        while True:
            yield from source.blanks()
            if has_call and (yield from source.accept(*self.ends)):
                return
            if has_call and not (yield from source.ahead(start)):
                return
            yield from source.expect(start)
            head, _ = yield from source.until(">", most=_NAME_CHARS)
            found = _NAME.search(head)
            if found is None:
                raise NotWrittenError("it has no name")
            signature = sink.begin(found[1])
            yield from self._call(source, sink, signature, end)
            has_call = True

    def _call(
        self, source: Source, sink: CallSink, signature: Signature, end: str
    ) -> Reading:
        is_first = True
        while True:
            yield from source.blanks()
            if (yield from source.accept(end)) or (not is_first and source.was_left):
                break
            if is_first and (yield from source.ahead("{")):
                # All of them as JSON: what a schema asks cannot always be said else.
                yield from source.json(sink.write)
                yield from source.blanks()
                yield from source.accept(end)
                sink.end()
                return
            name = yield from self._opening(source)
            value = yield from self._value(
                source, name, signature.declared(name), signature.schema, 0
            )
            sink.write("{" if is_first else ", ")
            sink.write(f"{dumped(name)}: {dumped(value)}")
            is_first = False
        sink.write("{}" if is_first else "}")
        sink.end()

    def _opening(self, source: Source) -> Generator[None, None, str]:
        if source.has_ended and not source.rest:
            raise CutOffError
        yield from source.expect(f"{self.prefix}<")
        name, _ = yield from source.until(">", most=_NAME_CHARS)
        if not name or name.startswith("/"):
            raise NotWrittenError("a tag has no name")
        return name

    def _value(
        self, source: Source, tag: str, schema: Any, root: dict[str, Any], depth: int
    ) -> Generator[None, None, Any]:
        """Read up to a tag's closing one: text, or tags that make a value."""
        if depth > _DEPTH_MOST:
            raise NotWrittenError("its arguments are nested too deeply")
        close = f"{self.prefix}</{tag}>"
        text = yield from source.before(f"{self.prefix}<")
        schema = resolved(schema, root)
        if text.strip() or (yield from source.ahead(close)):
            yield from source.expect(close)
            if not text and (empty := _EMPTY.get(types_in(schema, root))) is not None:
                return empty()
            try:
                return to_value(schema, text, root)
            except ValueError as error:
                raise NotWrittenError(f"'{tag}' {error}") from error
        members: list[tuple[str, Any]] = []
        properties = schema.get("properties")
        while not (yield from source.accept(close)):
            name = yield from self._opening(source)
            declared = properties.get(name, {}) if isinstance(properties, dict) else {}
            if name == "item":
                declared = schema.get("items", {})
            value = yield from self._value(source, name, declared, root, depth + 1)
            members.append((name, value))
            yield from source.blanks()
        names = [name for name, _ in members]
        is_list = set(names) == {"item"} and "item" not in (properties or {})
        return [value for _, value in members] if is_list else dict(members)
