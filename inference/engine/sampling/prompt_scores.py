"""How likely a model finds the tokens of a prompt: computed in chunks, before its answer."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import mlx.core as mx
import numpy as np

from inference.core.requests import TokenAlternative, TokenLogprob
from inference.engine.sampling.logprobs import likelihood_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference.engine.sequences.sequence import SequenceGroup

# Logits of so many tokens at a time: 20 MB where a vocabulary has 150,000.
CHUNK_TOKENS = 32


@dataclass(slots=True)
class ScoredPrompt:
    """One prompt's tokens as far as they are scored; the first has nothing before it."""

    sequence_group: SequenceGroup
    top: int
    cache: list[Any]
    tokens: list[TokenLogprob] = field(default_factory=list)
    error: Exception | None = None

    @property
    def is_done(self) -> bool:
        """Whether every token has its entry."""
        return len(self.tokens) >= len(self.sequence_group[0].prompt)


class ScoreQueue:
    """Prompts whose tokens are to be scored, a chunk at a time, first come first."""

    def __init__(
        self,
        model: Any,
        *,
        make_cache: Callable[[], list[Any]],
        bytes_of: Callable[[int], bytes],
    ) -> None:
        self._model = model
        self._make_cache = make_cache
        self._bytes_of = bytes_of
        self._waiting: deque[ScoredPrompt] = deque()

    def __len__(self) -> int:
        return sum(len(prompt.sequence_group) for prompt in self._waiting)

    def append(self, sequence_group: SequenceGroup, *, top: int) -> None:
        """Have a prompt scored, with the `top` likeliest tokens at each place."""
        self._waiting.append(ScoredPrompt(sequence_group, top, self._make_cache()))

    def advance(self) -> ScoredPrompt | None:
        """Score a chunk of the first prompt; return it once it is done, or failed."""
        while self._waiting and all(
            s.has_left for s in self._waiting[0].sequence_group
        ):
            self._waiting.popleft()
        if not self._waiting:
            return None
        prompt = self._waiting[0]
        try:
            self._score(prompt)
        except Exception as error:  # noqa: BLE001 -- the model's; told to who asked
            prompt.error = error
        if not prompt.is_done and prompt.error is None:
            return None
        return self._waiting.popleft()

    def _score(self, prompt: ScoredPrompt) -> None:
        tokens = prompt.sequence_group[0].prompt
        if not prompt.tokens:
            prompt.tokens.append(TokenLogprob(self._bytes_of(tokens[0]), 0.0))
        done = len(prompt.tokens)
        chunk = tokens[done - 1 : min(done - 1 + CHUNK_TOKENS, len(tokens) - 1)]
        if not chunk:
            return
        logits = self._model(mx.array([chunk]), cache=prompt.cache)[0]
        rows = np.array(logits.astype(mx.float32))
        for row, token in zip(rows, tokens[done:], strict=False):
            prompt.tokens.append(self._entry(token, row, prompt.top))

    def _entry(self, token: int, logits: np.ndarray, top: int) -> TokenLogprob:
        found = likelihood_of(token, logits, top=top)
        return TokenLogprob(
            self._bytes_of(token),
            found.logprob,
            tuple(
                TokenAlternative(self._bytes_of(other), logprob)
                for other, logprob in found.top
            ),
        )
