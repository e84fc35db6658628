"""Penalties, biases and bans: what moves logits before they are sampled.

Only the rows that ask for it are touched, all of them at once, and nothing is
read back: the newest token of a row is counted while it is still being computed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import mlx.core as mx
import numpy as np

if TYPE_CHECKING:
    from inference.engine.sequences.sequence import Sequence


class BatchAdjuster:
    """Adjusts logits for a fixed list of rows; rebuilt when rows join or leave.

    A row's `history` holds the completion tokens read so far; the one in flight
    comes by `observe`.
    """

    def __init__(self, rows: list[Sequence]) -> None:
        self._at = [i for i, row in enumerate(rows) if row.spec.adjusts_logits]
        self._rows = [rows[i] for i in self._at]
        self._counts: mx.array | None = None
        self._prompts: mx.array | None = None
        self._bias: mx.array | None = None
        self._banned: mx.array | None = None
        if self._rows:
            specs = [row.spec for row in self._rows]
            self._index = mx.array(self._at)
            self._presence = mx.array([[s.presence_penalty] for s in specs])
            self._frequency = mx.array([[s.frequency_penalty] for s in specs])
            self._repetition = mx.array([[s.repetition_penalty] for s in specs])
            self._repeats = any(s.repetition_penalty != 1.0 for s in specs)
            self._counts_wanted = self._repeats or any(
                s.presence_penalty or s.frequency_penalty for s in specs
            )

    def __bool__(self) -> bool:
        return bool(self._rows)

    def __call__(self, logits: mx.array, tokens: mx.array, fresh: set[int]) -> mx.array:
        """Return the logits for the tokens that follow `tokens`, lazily.

        `tokens` are each row's newest; for rows in `fresh` (sequence ids) they
        are the prompt's last and no completion token.
        """
        if not self._rows:
            return logits
        self._prepare(logits.shape[-1])
        adjusted = logits[self._index].astype(mx.float32)
        if self._counts_wanted:
            adjusted = self._penalised(adjusted, tokens, fresh)
        if self._bias is not None:
            adjusted = adjusted + self._bias
        adjusted = self._without_early_end(adjusted, fresh)
        if len(self._at) == logits.shape[0]:
            return adjusted
        logits = logits.astype(mx.float32)
        logits[self._index] = adjusted
        return logits

    def _penalised(
        self, logits: mx.array, tokens: mx.array, fresh: set[int]
    ) -> mx.array:
        assert self._counts is not None
        places = mx.arange(len(self._rows))
        weights = [0.0 if r.sequence_id in fresh else 1.0 for r in self._rows]
        newest = tokens[self._index]
        self._counts = self._counts.at[places, newest].add(mx.array(weights))
        seen = self._counts > 0
        if self._repeats:
            repeated = seen if self._prompts is None else seen | self._prompts
            shrunk = mx.where(
                logits > 0, logits / self._repetition, logits * self._repetition
            )
            logits = mx.where(repeated, shrunk, logits)
        return logits - self._presence * seen - self._frequency * self._counts

    def _without_early_end(self, logits: mx.array, fresh: set[int]) -> mx.array:
        if self._banned is None:
            return logits
        early = [
            # The newest token counts unless it is the prompt's last. A grammar
            # may leave nothing but the end.
            row.guide is None
            and len(row.history) + (row.sequence_id not in fresh) < row.spec.min_tokens
            for row in self._rows
        ]
        if not any(early):
            return logits
        return mx.where(self._banned & mx.array(early)[:, None], -mx.inf, logits)

    def _prepare(self, vocabulary: int) -> None:
        """Build the arrays once the vocabulary is known, from what was read so far."""
        if self._counts_wanted and self._counts is None:
            self._counts = mx.array(
                np.stack([_counted(row.history, vocabulary) for row in self._rows])
            )
            if self._repeats:
                prompts = [_counted(row.prompt, vocabulary) for row in self._rows]
                self._prompts = mx.array(np.stack(prompts)) > 0
        if self._bias is None and any(row.spec.logit_bias for row in self._rows):
            self._bias = mx.array(
                np.stack([_bias_of(r, vocabulary) for r in self._rows])
            )
        if self._banned is None and any(row.spec.min_tokens for row in self._rows):
            ends = [_counted(sorted(row.end_ids), vocabulary) for row in self._rows]
            self._banned = mx.array(np.stack(ends)) > 0


def _counted(tokens: list[int], vocabulary: int) -> np.ndarray:
    counts = np.bincount(np.array(tokens, dtype=np.int64), minlength=vocabulary)
    return counts[:vocabulary].astype(np.float32)


def _bias_of(row: Sequence, vocabulary: int) -> np.ndarray:
    bias = np.zeros(vocabulary, dtype=np.float32)
    for token, value in row.spec.logit_bias:
        bias[token] = value
    return bias
