"""Keys and values of texts that were read or written, for prompts that begin alike.

The next turn of a conversation repeats the turns before it, and an agent's prompts
their long beginning. What was computed for those is kept for a while, and a prompt
is only prefilled from where it diverges from what is kept.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from inference.engine.caches.copies import (
    bytes_of,
    can_copy,
    can_cut,
    counts,
    cut,
    packed,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

# A shorter beginning is computed as fast as it is copied. Many templates put somewhat
# more than this before every prompt.
TOKENS_LEAST = 16
# Looking through many more texts would take longer than it is worth.
TEXTS_MOST = 64


@dataclass(frozen=True, slots=True)
class PrefixMatch:
    """What is kept of a prompt: the caches of its first `held` tokens.

    `can_join` says that prompts which go on from beginnings like it may be prefilled
    together. `diverged_at` is up to which token the most alike of all kept texts is the same;
    None where nothing is kept. More may be alike than can be used: some models
    cannot go on from the middle of a text.
    """

    held: int = 0
    caches: tuple[Any, ...] = ()
    diverged_at: int | None = None
    can_join: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class _KeptText:
    tokens: np.ndarray
    caches: list[Any]
    nbytes: int
    can_cut: bool

    def usable(self, alike: int, prompt: int) -> int:
        """Return how many tokens a prompt with `alike` the same may take over.

        Its last token has to be run in any case, for what comes after it.
        """
        if self.can_cut:
            return min(alike, prompt - 1)
        held = len(self.tokens)
        return held if alike == held < prompt else 0


class PrefixCache:
    """Owns the texts used last; for the MLX thread only.

    Holds at most `most_bytes`; those not used for longest go first.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._texts: OrderedDict[int, _KeptText] = OrderedDict()
        self._number = 0
        self.held_bytes = 0

    def __len__(self) -> int:
        return len(self._texts)

    def find(self, prompt: Sequence[int]) -> PrefixMatch:
        """Return the longest beginning of a prompt that is kept, as a copy."""
        best, best_held, diverged_at = self._longest(prompt)
        if best is None:
            return PrefixMatch(diverged_at=diverged_at)
        self._texts.move_to_end(best)
        text = self._texts[best]
        caches = cut(text.caches, len(text.tokens), best_held)
        return PrefixMatch(best_held, tuple(caches), diverged_at, text.can_cut)

    def held(self, prompt: Sequence[int]) -> int:
        """Return how many tokens `find` would give, as of now."""
        return self._longest(prompt)[1]

    def _longest(self, prompt: Sequence[int]) -> tuple[int | None, int, int | None]:
        """Return the text to go on from, how many tokens of it, and where all diverge."""
        wanted = np.asarray(prompt, dtype=np.int64)
        best, best_held, diverged_at = None, 0, None
        for number, text in self._texts.items():
            alike = _alike(text.tokens, wanted)
            diverged_at = max(alike, diverged_at or 0)
            held = text.usable(alike, len(wanted))
            if held > best_held:
                best, best_held = number, held
        if best_held < TOKENS_LEAST:
            return None, 0, diverged_at
        return best, best_held, diverged_at

    def keep(self, tokens: Sequence[int], caches: list[Any]) -> None:
        """Keep what `tokens` left in the caches of a row that goes on no longer.

        The caches may hold some more tokens than these, where they can be cut.
        """
        if not self._most_bytes or len(tokens) < TOKENS_LEAST or not can_copy(caches):
            return
        held = _held(len(tokens), caches)
        if held is None:
            return
        kept = packed(caches, held - len(tokens))
        text = _KeptText(
            np.asarray(tokens, dtype=np.int64), kept, bytes_of(kept), can_cut(kept)
        )
        if text.nbytes > self._most_bytes or self._has_longer(text):
            return
        self._drop_shorter(text)
        self._number += 1
        self._texts[self._number] = text
        self.held_bytes += text.nbytes
        while self.held_bytes > self._most_bytes or len(self._texts) > TEXTS_MOST:
            self._drop(next(iter(self._texts)))

    def clear(self) -> None:
        """Forget all."""
        self._texts.clear()
        self.held_bytes = 0

    def _has_longer(self, text: _KeptText) -> bool:
        """Whether a kept text can stand in for this one; it then counts as used."""
        size = len(text.tokens)
        for number, other in self._texts.items():
            is_same = len(other.tokens) == size
            if (is_same or other.can_cut) and _alike(other.tokens, text.tokens) == size:
                self._texts.move_to_end(number)
                return True
        return False

    def _drop_shorter(self, text: _KeptText) -> None:
        """Drop the texts that this one, which goes on from them, can stand in for."""
        if not text.can_cut:
            return
        for number, other in list(self._texts.items()):
            if _alike(other.tokens, text.tokens) == len(other.tokens):
                self._drop(number)

    def _drop(self, number: int) -> None:
        self.held_bytes -= self._texts.pop(number).nbytes


def _held(tokens: int, caches: list[Any]) -> int | None:
    """Return how many tokens are in a row's caches; None where these cannot be kept."""
    counted = counts(caches)
    if not counted:
        return tokens
    held = max(counted)
    is_cut = held > tokens and can_cut(caches)
    return held if len(counted) == 1 and (held == tokens or is_cut) else None


def _alike(some: np.ndarray, others: np.ndarray) -> int:
    """Return how many tokens two texts have in common before they part."""
    size = min(len(some), len(others))
    differing = some[:size] != others[:size]
    return int(differing.argmax()) if differing.any() else size
