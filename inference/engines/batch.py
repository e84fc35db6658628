"""The running batch: rows, their caches, and one decode step over all of them.

A step launches the forward pass for tokens that are still being computed, then
reads those tokens back while the next ones are on their way. A row that joined
contributes its last prompt token first, so prefill and decode meet in one call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mlx.core as mx

from inference.engines.adjusting import BatchAdjuster
from inference.engines.prefill import PrefillGroup, merge_caches
from inference.engines.sampling import BatchSampler

if TYPE_CHECKING:
    from inference.engines.sequences import Sequence

# mlx-lm's own generator gives pooled buffers back at the same pace.
STEPS_BETWEEN_PURGES = 512


class DecodeBatch:
    """Owns the rows' KV caches. One row keeps the plain, unmasked cache."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.rows: list[Sequence] = []
        self.steps = 0
        self._cache: list[Any] = []
        self._is_merged = False
        self._tokens: mx.array | None = None
        self._fresh: set[int] = set()
        self._sampler = BatchSampler([])
        self._adjuster = BatchAdjuster([])

    def __len__(self) -> int:
        return len(self.rows)

    def join(self, group: PrefillGroup) -> None:
        """Add a prefilled group's sequences that have not left meanwhile."""
        staying = [i for i, s in enumerate(group.sequences) if not s.has_left]
        if not staying:
            return
        cache, merged = _keep_rows(group.cache, staying, len(group.sequences))
        joining = [group.sequences[i] for i in staying]
        tokens = mx.array([s.last_prompt_token for s in joining], dtype=mx.uint32)
        self._add(joining, tokens, cache, is_merged=merged)

    def step(self) -> list[tuple[Sequence, int]]:
        """Launch the next step and return the tokens of the one before, by row."""
        if self._tokens is None:
            return []
        current = self._tokens
        logits = self._model(current[:, None], cache=self._cache)[:, -1, :]
        logits = self._adjuster(logits, current, self._fresh)
        self._tokens = self._sampler(logits)
        mx.async_eval(self._tokens)
        mx.eval(current)
        self.steps += 1
        if self.steps % STEPS_BETWEEN_PURGES == 0:
            mx.clear_cache()
        return self._read(current)

    def leave(self, gone: set[Sequence]) -> None:
        """Take rows out of the batch and their keys and values out of the cache."""
        keep = [i for i, row in enumerate(self.rows) if row not in gone]
        if len(keep) == len(self.rows):
            return
        if not keep:
            self.clear()
            return
        assert self._tokens is not None
        self._cache, self._is_merged = _keep_rows(self._cache, keep, len(self.rows))
        self._tokens = self._tokens[mx.array(keep)]
        self.rows = [self.rows[i] for i in keep]
        self._rows_changed()

    def clear(self) -> list[Sequence]:
        """Empty the batch and return the rows it held."""
        rows, self.rows = self.rows, []
        self._cache, self._tokens, self._is_merged = [], None, False
        self._fresh.clear()
        self._rows_changed()
        return rows

    def _add(
        self,
        joining: list[Sequence],
        tokens: mx.array,
        cache: list[Any],
        *,
        is_merged: bool,
    ) -> None:
        if self._tokens is None:
            self._cache, self._is_merged, self._tokens = cache, is_merged, tokens
        else:
            running = self._merged(self._cache, is_merged=self._is_merged)
            arriving = self._merged(cache, is_merged=is_merged)
            for layer, addition in zip(running, arriving, strict=True):
                layer.extend(addition)
            self._cache, self._is_merged = running, True
            self._tokens = mx.concatenate([self._tokens, tokens])
        self.rows = self.rows + joining
        self._fresh.update(row.sequence_id for row in joining)
        self._rows_changed()

    @staticmethod
    def _merged(cache: list[Any], *, is_merged: bool) -> list[Any]:
        return cache if is_merged else merge_caches([cache])

    def _read(self, tokens: mx.array) -> list[tuple[Sequence, int]]:
        values = tokens.tolist()
        found = []
        for row, value in zip(self.rows, values, strict=True):
            if row.sequence_id in self._fresh:
                # What was just run was the end of the prompt.
                self._fresh.discard(row.sequence_id)
            else:
                found.append((row, value))
        return found

    def _rows_changed(self) -> None:
        self._sampler = BatchSampler([row.sampler for row in self.rows])
        self._adjuster = BatchAdjuster(self.rows)


def _keep_rows(cache: list[Any], keep: list[int], rows: int) -> tuple[list[Any], bool]:
    """Return the cache of the rows to keep, and whether it is a batch cache."""
    if rows == 1:
        return cache, False
    if len(keep) == 1:
        return [layer.extract(keep[0]) for layer in cache], False
    if len(keep) < rows:
        for layer in cache:
            layer.filter(keep)
    return cache, True
