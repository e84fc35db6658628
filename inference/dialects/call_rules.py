"""The grammar of calls while it is written: rules in Lark, each said once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from inference.dialects.text_values import Json, Word
from inference.structure.lark import ANY_TEXT, SOME_TEXT, quoted, without
from inference.structure.patterns import CannotWriteError
from inference.structure.schemas import rigid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from inference.dialects.text_values import TextValue, Value


class CallRules:
    """Gathers rules; `cut` says which parts of a text are tokens of their own.

    `fits` says whether an answer that is held to a schema may be a value.

    The methods return expressions, to be put together with blanks and bars.
    """

    def __init__(
        self,
        cut: Callable[[str], Sequence[str | int]],
        fits: Callable[[dict[str, Any], Any], bool],
    ) -> None:
        self._cut = cut
        self.fits = fits
        self._names: dict[str, str] = {}

    def source(self, start: str) -> str:
        """Return the grammar whose answers are `start`."""
        rules = (f"{name}: {body}" for body, name in self._names.items())
        return "\n".join((f"start: {start}", *rules))

    def rule(self, body: str) -> str:
        """Return the name of the rule with this body."""
        return self._named(body, "rule_")

    def defined(self, name: str, body: str) -> str:
        """Return the name of a rule that may refer to itself by it."""
        return self._names.setdefault(body, name)

    def terminal(self, body: str) -> str:
        """Return the name of the terminal with this body."""
        return self._named(body, "TEXT_")

    def literal(self, text: str) -> str:
        """Return a text of the model's own, in its own tokens where it has some."""
        pieces = self._cut(text)
        return " ".join(quoted(p) if isinstance(p, str) else f"<[{p}]>" for p in pieces)

    def one_of(self, texts: Iterable[str]) -> str:
        """Return a choice of expressions."""
        return self.rule(" | ".join(dict.fromkeys(texts)))

    def json(self, schema: dict[str, Any]) -> str:
        """Return JSON that fits a schema."""
        return self.rule(f"%json {rigid(schema)}")

    def filled(self, template: str, name: str = "", **terminals: str) -> str:
        """Return a text with `{name}`, and terminals where it has their names."""
        parts = re.split(r"\{(\w+)\}", template)
        found, text = [], ""
        for at, part in enumerate(parts):
            if at % 2 == 0:
                text += part
            elif part == "name":
                text += name
            else:
                found += [self.literal(text), self.terminal(terminals[part])]
                text = ""
        return " ".join((*found, self.literal(text)))

    def value(self, value: Value, *, close: str, barred: str) -> str:
        """Return a value and its closing text; a text does not hold `barred`.

        Raises:
            CannotWriteError: it cannot but hold it.
        """
        if isinstance(value, Json):
            return f"{self.json(value.schema)} {self.literal(close)}"
        if not isinstance(value, Word):
            return self._text(value, close, barred)
        if barred in value.text or "\r" in value.text:
            raise CannotWriteError("a member holds a mark of calls")
        return f"{quoted(value.text) if value.text else ''} {self.literal(close)}"

    def _text(self, value: TextValue, close: str, barred: str) -> str:
        pieces = self._cut(close)
        first, rest = pieces[0], "".join(f" {self._spelled(p)}" for p in pieces[1:])
        bounds = " & ".join((*value.patterns, without(barred)))
        if isinstance(first, str):
            # One terminal with its end: a text alone would read on over it.
            either = " | ".join((f"({ANY_TEXT} & {bounds})", *value.words))
            return self.terminal(f"({either}) {quoted(first)}") + rest
        some = self.terminal(" | ".join((f"({SOME_TEXT} & {bounds})", *value.words)))
        return f"{some}{'?' if value.may_be_empty else ''} <[{first}]>{rest}"

    @staticmethod
    def _spelled(piece: str | int) -> str:
        return quoted(piece) if isinstance(piece, str) else f"<[{piece}]>"

    def members(
        self,
        parts: Sequence[tuple[str, bool]],
        separator: str,
        *,
        is_first: bool = True,
    ) -> str:
        """Return what may come of `parts` in their order; those with a True have to.

        `separator` stands between two of them. May be empty.
        """
        if not separator:
            return " ".join(part if needed else f"({part})?" for part, needed in parts)
        if not parts:
            return ""
        (part, needed), others = parts[0], parts[1:]
        then = self.members(others, separator, is_first=False)
        here = f"{part} {then}" if is_first else f"{quoted(separator)} {part} {then}"
        if needed:
            return here
        if not is_first:
            return self.rule(f"({quoted(separator)} {part})? {then}")
        left_out = self.members(others, separator)
        return self.rule(f"{here} | {left_out}") if left_out else f"({here})?"

    def _named(self, body: str, prefix: str) -> str:
        return self._names.setdefault(body, f"{prefix}{len(self._names)}")
