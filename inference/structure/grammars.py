"""What an answer must look like, as a grammar of llguidance's; refused by name.

What llguidance cannot enforce of a schema is left out of it by name; an answer that
is held to all of its schema validates once it is finished.
"""

from __future__ import annotations

import json
import time
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from llguidance import LLMatcher, LLTokenizer

from inference.core.errors import InvalidRequestError
from inference.core.requests import GrammarKind
from inference.structure.bounds import (
    SOURCE_CHARACTERS_MAX,
    fault_of_bounds,
    fault_of_lark,
    fault_of_regex,
)
from inference.structure.faults import Fault, gist, to_fault
from inference.structure.jobs import refusal_code
from inference.structure.limits import Pace, parser_limits
from inference.structure.loosening import loosened
from inference.structure.recursion import can_end
from inference.structure.schemas import rigid

if TYPE_CHECKING:
    from inference.core.requests import Grammar
    from inference.structure.loosening import Loosened

# Steps of a trial answer, to meet what only shows while answering.
_TRIAL_STEPS = 64
# Special tokens are the model's: the worker, which has its tokenizer, judges them.
_UNJUDGED = ("no tokenizer", "unknown special token")
_TOO_COMPLEX = "it is too complex: each token takes too much work"
# How llguidance says that one of its limits was met.
_EXHAUSTED = (
    "Too many items",
    "too many expressions",
    "items; max is",
    "too many states",
    "fuel",
    "too complex",
    "TooComplex",
)


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


def check(grammar: Grammar) -> Loosened | None:
    """Return what holds of a schema instead, where not all can. May take a second.

    Raises:
        InvalidRequestError: with the keyword at fault, naming `grammar.param`.
    """
    try:
        fault = _fault_of(grammar)
    except (ValueError, TypeError, RecursionError) as error:
        raise _refusal(grammar, str(error)) from error
    if fault is None:
        return None
    if loose := _loosened(grammar):
        return loose
    raise _refusal(grammar, fault.message)


def fault_of_schema(schema: dict[str, Any]) -> Fault | None:
    """Return why answers cannot be held to all of a schema, or `None`."""
    if fault := fault_of_bounds(schema):
        return fault
    words = words_against(LLMatcher.grammar_from_json_schema(rigid(schema)))
    # What never ends is too much work for a matcher, too.
    if (not words or words == _TOO_COMPLEX) and not can_end(schema):
        return Fault("$ref", "no answer can satisfy the schema: its '$ref' never ends")
    return to_fault(words) if words else None


@lru_cache(maxsize=64)
def _fault_of(grammar: Grammar) -> Fault | None:
    if len(grammar.source) > SOURCE_CHARACTERS_MAX:
        return Fault("", f"it is longer than {SOURCE_CHARACTERS_MAX:,} characters")
    if grammar.kind is GrammarKind.JSON_SCHEMA:
        return fault_of_schema(_parsed(grammar.source))
    if grammar.kind is GrammarKind.LARK and (fault := fault_of_lark(grammar.source)):
        return fault
    if grammar.kind is GrammarKind.REGEX and (fault := fault_of_regex(grammar.source)):
        return fault
    words = words_against(to_llguidance(grammar))
    return Fault("", gist(words)) if words else None


@lru_cache(maxsize=64)
def _loosened(grammar: Grammar) -> Loosened | None:
    is_long = len(grammar.source) > SOURCE_CHARACTERS_MAX
    if grammar.kind is not GrammarKind.JSON_SCHEMA or is_long:
        return None
    return loosened(_parsed(grammar.source), fault_of_schema)


def words_against(compiled: str) -> str:
    """Return what llguidance has against a grammar, or nothing."""
    _, said = LLMatcher.validate_grammar_with_warnings(compiled, limits=parser_limits())
    # A warning tells of something that would not be enforced.
    words = "\n".join(word for word in said if not word.startswith(_UNJUDGED))
    return words or _words_against_answers(compiled)


def _words_against_answers(compiled: str) -> str:
    """Return what keeps an answer from beginning, or from going on.

    Only a matcher finds that out; some grammars compile and need too much of each
    token.
    """
    matcher = LLMatcher(
        _bytes_tokenizer(), compiled, log_level=0, limits=parser_limits()
    )
    pace = Pace()
    for step in range(_TRIAL_STEPS):
        began = time.thread_time()
        mask = b"" if matcher.is_error() else matcher.compute_bitmask()
        if matcher.is_error() and (step == 0 or is_exhausted(matcher)):
            return _words_of(matcher)
        if matcher.is_stopped() or matcher.is_error():
            break
        matcher.consume_token(_middle_of(mask))
        if pace.add(time.thread_time() - began):
            return _TOO_COMPLEX
    return ""


def is_exhausted(matcher: LLMatcher) -> bool:
    """Whether a matcher failed because its grammar asks for too much work."""
    return any(mark in matcher.get_error() for mark in _EXHAUSTED)


def _words_of(matcher: LLMatcher) -> str:
    words = matcher.get_error()
    if any(unjudged in words for unjudged in _UNJUDGED):
        return ""
    if words.startswith("NoExtension"):
        return "Unsatisfiable schema: nothing can match it"
    if is_exhausted(matcher):
        return _TOO_COMPLEX
    return words


def _middle_of(mask: bytes) -> int:
    """Return an allowed byte: of those that are, the one in the middle."""
    allowed = [byte for byte in range(256) if mask[byte // 8] >> byte % 8 & 1]
    return allowed[len(allowed) // 2] if allowed else 0


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
        code=refusal_code(grammar),
    )
