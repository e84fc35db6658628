"""Why a grammar is refused, in words that name the keyword at fault."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_WORDS_MAX = 300
_FORMATS = "date-time, date, time, duration, email, hostname, ipv4, ipv6, uri, uuid"


@dataclass(frozen=True, slots=True)
class Fault:
    """One reason, to follow a colon; `keyword` is empty where it is not a single one's."""

    keyword: str
    message: str

    @property
    def short(self) -> str:
        """A few words, for a list of warnings."""
        return f"{self.keyword} is not enforced" if self.keyword else self.message


def to_fault(words: str) -> Fault:
    """Turn what llguidance says of a schema into a fault."""
    for pattern, to_reason in _REASONS:
        if found := re.search(pattern, words, re.DOTALL):
            return to_reason(found)
    return Fault("", gist(words))


def gist(words: str) -> str:
    """Return the telling line of llguidance's words, without its pictures."""
    if "Unsatisfiable schema: nothing can match it" in words:
        return "nothing can match it"
    if "(grammar) too big" in words:
        return "it is too large to be enforced"
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("error:")]
    line = errors[0].removeprefix("error:").strip() if errors else "".join(lines[:1])
    return line[:_WORDS_MAX].rstrip(".")


def _unimplemented(found: re.Match[str]) -> Fault:
    keys = [str(key) for key in json.loads(found[1])]
    names = ", ".join(f"'{key}'" for key in keys)
    return Fault(", ".join(keys), f"the keyword {names} cannot be enforced")


def _format(found: re.Match[str]) -> Fault:
    name = found[1].strip()[:60]
    said = f"the 'format' '{name}' cannot be enforced ({_FORMATS} can)"
    return Fault(f"format '{name}'", said)


def _one_of(_: re.Match[str]) -> Fault:
    return Fault(
        "oneOf",
        "'oneOf' is enforced only where its alternatives exclude each other by 'type', "
        "or are of type object with a required property that has another 'const' in "
        "each; 'anyOf' is not bound to that",
    )


def _properties(_: re.Match[str]) -> Fault:
    return Fault(
        "minProperties, maxProperties",
        "'minProperties' and 'maxProperties' are enforced only where every property "
        "that the schema names is required",
    )


def _resource(found: re.Match[str]) -> Fault:
    where = found[1].removeprefix("json-schema:///")[:_WORDS_MAX]
    said = f"'$ref' and '$schema' may not lead outside, as to '{where}'"
    return Fault("$ref", said)


def _pointer(found: re.Match[str]) -> Fault:
    where = found[1][:_WORDS_MAX]
    return Fault("$ref", f"'$ref' points to '#{where}', which the schema does not have")


def _patterns(found: re.Match[str]) -> Fault:
    pair = found[1][:_WORDS_MAX]
    said = f"'patternProperties' must exclude each other: {pair}"
    return Fault("patternProperties", said)


def _regex(found: re.Match[str]) -> Fault:
    return Fault("pattern", f"a 'pattern' cannot be enforced: {gist(found[0])}")


def _unsatisfiable(found: re.Match[str]) -> Fault:
    # Its pictures of regular expressions help nobody who wrote a schema.
    reason = re.sub(
        r"Regex is empty:.*", "rules for a string exclude each other", found[1]
    )
    return Fault("", f"no answer can satisfy the schema: {gist(reason)}")


def _deep(_: re.Match[str]) -> Fault:
    return Fault("", "the schema is nested too deeply")


def _large(_: re.Match[str]) -> Fault:
    return Fault("", "the schema is too large to be enforced")


_REASONS: tuple[tuple[str, Callable[[re.Match[str]], Fault]], ...] = (
    (r"Unimplemented keys: (\[[^\]]*\])", _unimplemented),
    (r"Unknown format: ([^\n]*)", _format),
    (r"oneOf constraints are not supported", _one_of),
    (r"min/maxProperties only supported", _properties),
    (r"Resource '([^']*)' is not present", _resource),
    (r"Pointer '([^']*)' does not exist", _pointer),
    (r"patternProperty regexes (.*) are not disjoint", _patterns),
    (r"Unsatisfiable schema: (.*)", _unsatisfiable),
    (r"(?:regex parse error|lookarounds not supported|look-around).*", _regex),
    (r"recursion limit exceeded", _deep),
    (r"too big|too large|too complex", _large),
)
