"""A model's tokens as bytes, and as llguidance sees them; built when first needed."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from functools import cached_property
from typing import Any

from llguidance import LLMatcher, LLTokenizer
from llguidance.hf import from_tokenizer

from inference.core.errors import InvalidRequestError, UnsupportedParameterError
from inference.structure.faults import gist
from inference.structure.limits import parser_limits

MATCHERS_KEPT = 64


class Vocabulary:
    """Owns the llguidance view of one tokenizer. Any thread may ask.

    Building it takes up to a second or two for large vocabularies, so only the
    first request that needs it waits.
    """

    def __init__(self, tokenizer: Any, *, size: int, eos_ids: frozenset[int]) -> None:
        self._tokenizer = tokenizer
        self._size = size
        self._eos_ids = eos_ids
        self._lock = threading.Lock()
        self._matchers: OrderedDict[str, LLMatcher] = OrderedDict()
        self._view: LLTokenizer | None = None
        self._is_unreadable = False

    @property
    def eos_ids(self) -> tuple[int, ...]:
        """The tokens that end an answer."""
        return tuple(sorted(self._eos_ids))

    def load(self) -> LLTokenizer | None:
        """Build what the other methods need, and return it where it can be built."""
        return self._load()

    def matcher_for(self, grammar: str, *, param: str) -> LLMatcher:
        """Return a matcher of `grammar` at its beginning, to be copied, not used.

        Those asked for last are kept: clients send the same schema many times.

        Raises:
            UnsupportedParameterError: this model's tokenizer cannot be guided.
            InvalidRequestError: the grammar is refused, naming `param`.
        """
        with self._lock:
            known = self._matchers.get(grammar)
            if known is not None:
                self._matchers.move_to_end(grammar)
                return known
        view = self._load()
        if view is None:
            raise UnsupportedParameterError(
                f"Unsupported parameter: '{param}' needs a tokenizer that this model "
                "does not have (a fast one).",
                param=param,
            )
        matcher = LLMatcher(view, grammar, log_level=0, limits=parser_limits())
        if matcher.is_error():
            raise InvalidRequestError(
                f"Invalid '{param}': {gist(matcher.get_error())}.",
                param=param,
                code="invalid_grammar",
            )
        with self._lock:
            self._matchers[grammar] = matcher
            if len(self._matchers) > MATCHERS_KEPT:
                self._matchers.popitem(last=False)
        return matcher

    def bytes_of(self, token: int) -> bytes:
        """Return the bytes that `token` adds to a text."""
        view = self._load()
        if view is None:
            text: str = self._tokenizer.decode([token])
            return text.encode()
        return view.decode_bytes([token])

    def cut(self, text: str) -> tuple[str | int, ...]:
        """Cut a text of the model's own where a part of it is a token by itself."""
        pattern, ids = self._added
        parts = pattern.split(text) if ids else [text]
        return tuple(ids.get(part, part) for part in parts if part)

    def tokens_of(self, octets: bytes) -> list[int]:
        """Return some tokens that spell these bytes, where they can be spelled."""
        view = self._load()
        return [] if view is None else view.tokenize_bytes(octets)

    @cached_property
    def _added(self) -> tuple[re.Pattern[str], dict[str, int]]:
        known = getattr(self._tokenizer, "added_tokens_decoder", {})
        ids = {
            token.content: number
            for number, token in known.items()
            if number < self._size and token.content.strip()
        }
        longest_first = sorted(ids, key=len, reverse=True)
        return re.compile(f"({'|'.join(map(re.escape, longest_first))})"), ids

    def _load(self) -> LLTokenizer | None:
        with self._lock:
            if self._view is None and not self._is_unreadable:
                try:
                    self._view = from_tokenizer(
                        self._tokenizer,
                        n_vocab=self._size,
                        eos_token=sorted(self._eos_ids),
                    )
                except Exception:  # noqa: BLE001 -- slow tokenizers, odd vocabularies
                    self._is_unreadable = True
            return self._view
