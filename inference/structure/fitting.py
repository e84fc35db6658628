"""Whether one value obeys a schema, judged as answers are held to it."""

from __future__ import annotations

import json
from functools import cache, lru_cache
from typing import Any

from llguidance import LLMatcher, LLTokenizer

from inference.structure.schemas import rigid


def fits(schema: dict[str, Any], value: Any) -> bool:
    """Whether an answer that is held to `schema` may be `value`."""
    return _fits(rigid(schema), json.dumps(value, ensure_ascii=False))


@lru_cache(maxsize=1024)
def _fits(schema: str, written: str) -> bool:
    matcher = LLMatcher(_bytes(), LLMatcher.grammar_from_json_schema(schema))
    octets = list(written.encode())
    return matcher.try_consume_tokens(octets) == len(octets) and matcher.is_accepting()


@cache
def _bytes() -> LLTokenizer:
    return LLTokenizer("byte")
