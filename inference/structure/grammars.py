"""What an answer must look like, as a grammar of llguidance's; refused by name.

A schema is enforced as a whole or not at all: a keyword that llguidance does not
enforce is refused, so that every finished answer validates.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from llguidance import LLMatcher

from inference.core.errors import InvalidRequestError
from inference.core.requests import GrammarKind

if TYPE_CHECKING:
    from llguidance._lib import JsonCompileOptions

    from inference.core.requests import Grammar

# One way to write each value: a weak model would lose itself in blanks.
RIGID: JsonCompileOptions = {
    "whitespace_flexible": False,
    "item_separator": ", ",
    "key_separator": ": ",
    "lenient": False,
    "coerce_one_of": False,
}
OWN_OPTIONS = "x-guidance"
_ERROR_CHARS = 300
_CODES = {
    GrammarKind.JSON_SCHEMA: "invalid_schema",
    GrammarKind.REGEX: "invalid_regex",
    GrammarKind.LARK: "invalid_grammar",
}
_UNIMPLEMENTED = re.compile(r"Unimplemented keys: (\[[^\]]*\])")


def to_llguidance(grammar: Grammar) -> str:
    """Return the grammar in llguidance's own form.

    Raises:
        InvalidRequestError: it is no schema at all.
    """
    if grammar.kind is GrammarKind.REGEX:
        return LLMatcher.grammar_from_regex(grammar.source)
    if grammar.kind is GrammarKind.LARK:
        return LLMatcher.grammar_from_lark(grammar.source)
    try:
        schema = json.loads(grammar.source)
        return LLMatcher.grammar_from_json_schema(rigid(schema), overrides=RIGID)
    except (ValueError, TypeError, RecursionError) as error:
        raise _refusal(grammar, str(error)) from error


def check(grammar: Grammar) -> None:
    """Refuse a grammar that cannot be enforced. May take a fifth of a second.

    Raises:
        InvalidRequestError: with the keyword at fault, naming `grammar.param`.
    """
    if fault := fault_of(to_llguidance(grammar)):
        raise _refusal(grammar, fault)


def rigid(schema: Any) -> Any:
    """Return a schema whose answers can be written in one way only."""
    if not isinstance(schema, dict):
        return schema
    return {**schema, OWN_OPTIONS: RIGID}


def fault_of(compiled: str) -> str:
    """Return why llguidance would not enforce all of a grammar, or nothing."""
    _is_error, messages = LLMatcher.validate_grammar_with_warnings(compiled)
    return _readable(messages[0]) if messages else ""


def _readable(message: str) -> str:
    """Return llguidance's words without the grammar that it repeats."""
    unimplemented = _UNIMPLEMENTED.search(message)
    if unimplemented is not None:
        names = ", ".join(f"'{name}'" for name in json.loads(unimplemented[1]))
        return f"the keyword {names} cannot be enforced"
    if "retriever" in message:
        return "the keyword '$ref' may only point into the schema itself"
    return " ".join(message.split())[:_ERROR_CHARS].rstrip(".")


def _refusal(grammar: Grammar, fault: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"Invalid '{grammar.param}': {fault}.",
        param=grammar.param,
        code=_CODES[grammar.kind],
    )
