"""What an answer must look like, as a grammar of llguidance's; refused by name.

A schema is enforced as a whole or not at all: a keyword that llguidance does not
enforce is refused, so that every finished answer validates.
"""

from __future__ import annotations

import json
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from llguidance import LLMatcher, LLTokenizer

from inference.core.errors import InvalidRequestError
from inference.core.requests import GrammarKind
from inference.structure.bounds import (
    SOURCE_CHARACTERS_MAX,
    fault_of_bounds,
    fault_of_lark,
)
from inference.structure.faults import Fault, gist, to_fault
from inference.structure.recursion import can_end
from inference.structure.schemas import rigid

if TYPE_CHECKING:
    from inference.core.requests import Grammar

_CODES = {
    GrammarKind.JSON_SCHEMA: "invalid_schema",
    GrammarKind.REGEX: "invalid_regex",
    GrammarKind.LARK: "invalid_grammar",
}
# Special tokens are the model's: the worker, which has its tokenizer, judges them.
_UNJUDGED = ("no tokenizer", "unknown special token")


def to_llguidance(grammar: Grammar) -> str:
    """Return the grammar in llguidance's own form.

    Raises:
        InvalidRequestError: it is no schema at all, or no text.
    """
    try:
        if grammar.kind is GrammarKind.REGEX:
            return LLMatcher.grammar_from_regex(grammar.source)
        if grammar.kind is GrammarKind.LARK:
            return LLMatcher.grammar_from_lark(grammar.source)
        return LLMatcher.grammar_from_json_schema(rigid(_parsed(grammar.source)))
    except (ValueError, TypeError, RecursionError) as error:
        raise _refusal(grammar, str(error)) from error


def check(grammar: Grammar) -> None:
    """Refuse a grammar that cannot be enforced. May take a second.

    Raises:
        InvalidRequestError: with the keyword at fault, naming `grammar.param`.
    """
    try:
        fault = _fault_of(grammar)
    except (ValueError, TypeError, RecursionError) as error:
        raise _refusal(grammar, str(error)) from error
    if fault is not None:
        raise _refusal(grammar, fault.message)


def fault_of_schema(schema: dict[str, Any]) -> Fault | None:
    """Return why answers cannot be held to all of a schema, or `None`."""
    if fault := fault_of_bounds(schema):
        return fault
    words = _words_against(LLMatcher.grammar_from_json_schema(rigid(schema)))
    if words:
        return to_fault(words)
    if not can_end(schema):
        return Fault("$ref", "no answer can satisfy the schema: its '$ref' never ends")
    return None


@lru_cache(maxsize=64)
def _fault_of(grammar: Grammar) -> Fault | None:
    if len(grammar.source) > SOURCE_CHARACTERS_MAX:
        return Fault("", f"it is longer than {SOURCE_CHARACTERS_MAX:,} characters")
    if grammar.kind is GrammarKind.JSON_SCHEMA:
        return fault_of_schema(_parsed(grammar.source))
    if grammar.kind is GrammarKind.LARK and (fault := fault_of_lark(grammar.source)):
        return fault
    words = _words_against(to_llguidance(grammar))
    return Fault("", gist(words)) if words else None


def _words_against(compiled: str) -> str:
    """Return what llguidance has against a grammar, or nothing."""
    _, said = LLMatcher.validate_grammar_with_warnings(compiled)
    # A warning tells of something that would not be enforced.
    words = "\n".join(word for word in said if not word.startswith(_UNJUDGED))
    return words or _words_against_start(compiled)


def _words_against_start(compiled: str) -> str:
    """Return what keeps an answer from beginning: only a matcher finds that out."""
    matcher = LLMatcher(_bytes_tokenizer(), compiled, log_level=0)
    if not matcher.is_error():
        matcher.compute_bitmask()
    words = matcher.get_error()
    if any(unjudged in words for unjudged in _UNJUDGED):
        return ""
    if words.startswith("NoExtension"):
        return "Unsatisfiable schema: nothing can match it"
    return words


@cache
def _bytes_tokenizer() -> LLTokenizer:
    return LLTokenizer("byte")


def _parsed(source: str) -> dict[str, Any]:
    schema = json.loads(source)
    if not isinstance(schema, dict):
        raise TypeError("a schema is a JSON object here")
    return schema


def _refusal(grammar: Grammar, fault: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"Invalid '{grammar.param}': {fault}.",
        param=grammar.param,
        code=_CODES[grammar.kind],
    )
