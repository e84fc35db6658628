"""The guides of a batch at work: masks over logits, computed beside the model.

Which tokens a grammar allows depends on the token before, so it is known only
once that has been read. The masks are then computed while the forward pass runs:
on this thread, which would only wait, and in a few others where they take long
(llguidance lets go of the interpreter).
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import mlx.core as mx
import numpy as np

from inference.engine.guidance.masks import allows

if TYPE_CHECKING:
    from concurrent.futures import Future

    from inference.engine.guidance.guides import Guide
    from inference.engine.sequences.sequence import Sequence

_THREADS = min(4, os.cpu_count() or 1)
_pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="masks")
_WORD = 32
_HANDOVER_S = 0.0002


class BatchMasker:
    """Masks for a fixed list of rows; rebuilt when rows join or leave."""

    def __init__(self, rows: list[Sequence]) -> None:
        self._guided = [
            (i, row, row.guide) for i, row in enumerate(rows) if row.guide is not None
        ]
        self._bits: np.ndarray | None = None
        self._index = mx.array([i for i, _, _ in self._guided])
        self._is_everyone = len(self._guided) == len(rows)
        self._jobs: list[Future[None]] = []
        self._bound = False

    def __bool__(self) -> bool:
        return bool(self._guided)

    def follow(self, tokens: list[int], fresh: set[int], vocabulary: int) -> None:
        """Take each row's newest token and begin to compute what may follow it.

        For rows in `fresh` (sequence ids) it is the prompt's last.
        """
        if self._bits is None:
            self._bits = _all_allowed(len(self._guided), vocabulary)
        for i, row, guide in self._guided:
            if row.sequence_id not in fresh:
                guide.accept(tokens[i])
        bound = [
            (guide, self._bits[k])
            for k, (_, _, guide) in enumerate(self._guided)
            if guide.constrains
        ]
        self._bound = bool(bound)
        if not bound:
            return
        for k, (_, _, guide) in enumerate(self._guided):
            if not guide.constrains:
                self._bits[k] = -1
        self._jobs = _begin_to_fill(bound)

    def __call__(self, logits: mx.array) -> mx.array:
        """Return the logits with what is not allowed at minus infinity, lazily."""
        if not self._bound:
            return logits
        for job in self._jobs:
            job.result()
        assert self._bits is not None
        penalties = _penalties(self._bits, logits.shape[-1])
        if self._is_everyone:
            return logits.astype(mx.float32) + penalties
        masked = logits.astype(mx.float32)
        masked[self._index] = masked[self._index] + penalties
        return masked


class PositionMasks:
    """Masks for what follows each of several tokens of one row.

    `ahead` has taken the token before `tokens` and is led on by them, as far as they
    are allowed and the answer is not over; what is left of them is `tokens`.
    """

    def __init__(self, ahead: Guide, tokens: list[int], vocabulary: int) -> None:
        self.tokens = tokens
        self._bits = _all_allowed(len(tokens) + 1, vocabulary)
        self._bound = False
        for place, token in enumerate([*tokens, None]):
            is_allowed = self._fill(ahead, place, token)
            if ahead.error:
                # The row's own guide will come to it, token by token.
                self.tokens = []
                return
            if not is_allowed or ahead.is_over:
                self.tokens = tokens[:place]
                return
            assert token is not None
            ahead.accept(token)

    def __call__(self, logits: mx.array) -> mx.array:
        """Return the logits with what is not allowed at minus infinity, lazily."""
        if not self._bound:
            return logits
        bits = self._bits[: logits.shape[0]]
        return logits.astype(mx.float32) + _penalties(bits, logits.shape[-1])

    def _fill(self, ahead: Guide, place: int, token: int | None) -> bool:
        """Write what is allowed at a place; whether `token` may stand there."""
        if not ahead.constrains:
            return token is not None
        self._bound = True
        mask = self._bits[place]
        ahead.fill(mask)
        return token is not None and allows(mask, token)


def _all_allowed(rows: int, vocabulary: int) -> np.ndarray:
    return np.full((rows, (vocabulary + _WORD - 1) // _WORD), -1, dtype=np.int32)


def _penalties(bits: np.ndarray, vocabulary: int) -> mx.array:
    """Return what masks add to the logits of their rows."""
    octets = mx.array(bits.view(np.uint8))
    return _table()[octets].reshape(len(bits), -1)[:, :vocabulary]


def _begin_to_fill(work: list[tuple[Guide, np.ndarray]]) -> list[Future[None]]:
    """Fill masks here, and hand the rest out once it takes longer than a hand-over.

    Most masks take a few microseconds; some states of a grammar take a thousand
    times as long.
    """
    began = time.perf_counter()
    for done, (guide, mask) in enumerate(work, start=1):
        guide.fill(mask)
        if time.perf_counter() - began > _HANDOVER_S:
            rest = work[done:]
            jobs = [
                _pool.submit(_fill, rest[start::_THREADS])
                for start in range(1, min(_THREADS, len(rest)))
            ]
            _fill(rest[::_THREADS])
            return jobs
    return []


def _fill(work: list[tuple[Guide, np.ndarray]]) -> None:
    for guide, mask in work:
        guide.fill(mask)


_tables: list[mx.array] = []


def _table() -> mx.array:
    """Return what each octet of a mask adds to the logits of its eight tokens."""
    if not _tables:
        octets = np.arange(256, dtype=np.uint8)[:, None]
        allowed = np.unpackbits(octets, axis=1, bitorder="little")
        _tables.append(mx.array(np.where(allowed, 0.0, -np.inf).astype(np.float32)))
    return _tables[0]
