"""Several tokens a step without a draft model: what is copied, and what is certain.

Who rewrites a file, quotes, or fills in a form mostly says what was said before or
what a grammar leaves no choice about. Both are proposed for a row that decodes alone
and read by the model in one pass; it chooses each token itself, so that the text is
the one it would have written.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import mlx.core as mx
from mlx_lm.models.cache import KVCache, RotatingKVCache

from inference.engine.caches.probe import flat
from inference.engine.caches.row_places import RowPlaces
from inference.engine.sampling.masking import PositionMasks
from inference.engine.sampling.positions import PositionSampler
from inference.engine.speculation.gains import DraftGains, DraftMode
from inference.engine.speculation.ngrams import NgramIndex
from inference.engine.speculation.verifying import (
    RunResult,
    StepTimer,
    room_of,
    tokens_from,
    verify,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference.engine.loading.text_model import TextModel
    from inference.engine.sampling.positions import PositionAdjuster
    from inference.engine.sequences.sequence import Sequence

# Their keys and values are the same, read one by one or several at once.
_EXACT = (KVCache, RotatingKVCache, RowPlaces)
LOOKUP_DEPTH_MOST = 16
# A long prompt is read between steps, so many tokens in a few milliseconds.
READ_AT_ONCE = 8192


class _Proposal(NamedTuple):
    """What may come behind a token, whence it is known, and what is allowed there."""

    tokens: list[int]
    mode: DraftMode
    masks: PositionMasks | None


class PromptLookup:
    """Owns what is known of the text of the row that decodes alone.

    `vocabulary` is how many logits the model gives. Beyond `reach` tokens of a row,
    prompt included, nothing is proposed: a sliding window is full.
    """

    def __init__(
        self,
        model: Any,
        *,
        vocabulary: int,
        reach: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._model = model
        self._vocabulary = vocabulary
        self._reach = reach
        self._timer = StepTimer(clock)
        self._gains = {
            mode: DraftGains(LOOKUP_DEPTH_MOST)
            for mode in (DraftMode.COPIED, DraftMode.FORCED)
        }
        self._row: Sequence | None = None
        self._index = NgramIndex()
        self._sampler: PositionSampler | None = None

    def rows_changed(self, rows: list[Sequence]) -> None:
        """Forget the row that was followed once it has left."""
        if self._row is not None and self._row not in rows:
            self._row = self._sampler = None
            self._index = NgramIndex()
        self._timer.forget()

    def saw_plain_step(self, *, counts: bool) -> None:
        """A plain step has ended; `counts`: of one row that is alone."""
        took_s = self._timer.plain_ended(counts=counts)
        if took_s is not None:
            for gains in self._gains.values():
                gains.saw_plain(took_s)

    def advance(
        self,
        row: Sequence,
        cache: list[Any],
        newest: mx.array,
        adjuster: PositionAdjuster,
    ) -> RunResult | None:
        """Make a run from the row's newest token; `None`: a plain step is due.

        The newest token is waited for only where the text before it was said before,
        or a grammar holds what follows.
        """
        if row is not self._row:
            self._follow(row)
        if not self._is_due(row):
            return None
        first = self._timer.read(newest)
        proposal = self._propose(row, first)
        if proposal is None:
            is_held = row.guide is not None and row.guide.constrains
            self._gains[DraftMode.FORCED if is_held else DraftMode.COPIED].saw_wait()
            return None
        run = self._run(row, cache, first, proposal, adjuster)
        depth, accepted = len(proposal.tokens), len(run.tokens) - 1
        took_s = self._timer.run_ended()
        self._gains[proposal.mode].saw_run(depth, accepted, took_s, proposal.mode)
        return run

    def _follow(self, row: Sequence) -> None:
        self._row, self._index = row, NgramIndex()
        self._sampler = PositionSampler(row.sampler, most=LOOKUP_DEPTH_MOST + 1)
        for gains in self._gains.values():
            gains.begin_row()

    def _is_due(self, row: Sequence) -> bool:
        """Whether there may be something to propose, as far as the text is known."""
        if row.spec.logprobs is not None or row.images is not None:
            return False
        if len(row.history) < row.spec.min_tokens:
            return False
        is_held = row.guide is not None and row.guide.constrains
        return bool(is_held and self._depth(row, DraftMode.FORCED)) or bool(
            self._depth(row, DraftMode.COPIED)
            and self._has_read(row)
            and self._index.continuation(1)
        )

    def _depth(self, row: Sequence, mode: DraftMode) -> int:
        return self._gains[mode].depth(room_of(row, self._reach), mode)

    def _has_read(self, row: Sequence) -> bool:
        """Read on in the row's text; whether that is read to its end."""
        missing = tokens_from(row, len(self._index))
        self._index.extend(missing[:READ_AT_ONCE])
        return len(missing) <= READ_AT_ONCE

    def _propose(self, row: Sequence, first: int) -> _Proposal | None:
        """Return what may follow `first`, which is not in the row's history yet."""
        if row.guide is None:
            copied = self._copied(row, first)
            return _Proposal(copied, DraftMode.COPIED, None) if copied else None
        ahead, mode = row.guide.fork(), DraftMode.FORCED
        ahead.accept(first)
        tokens = ahead.certain()[: self._depth(row, mode)]
        if not tokens:
            tokens, mode = self._copied(row, first), DraftMode.COPIED
        masks = PositionMasks(ahead, tokens, self._vocabulary)
        return _Proposal(masks.tokens, mode, masks) if masks.tokens else None

    def _copied(self, row: Sequence, first: int) -> list[int]:
        depth = self._depth(row, DraftMode.COPIED)
        if not depth or not self._has_read(row):
            return []
        self._index.extend((first,))
        return self._index.continuation(depth)

    def _run(
        self,
        row: Sequence,
        cache: list[Any],
        first: int,
        proposal: _Proposal,
        adjuster: PositionAdjuster,
    ) -> RunResult:
        sampler, tokens = self._sampler, mx.array([first, *proposal.tokens])
        assert sampler is not None
        sampler.begin(tokens.size)

        def adjust(logits: mx.array) -> mx.array:
            adjusted = adjuster.adjust_positions(logits, tokens)
            return adjusted if proposal.masks is None else proposal.masks(adjusted)

        return verify(self._model, cache, tokens, sampler, adjust, adjuster)


def lookup_for(text: TextModel) -> PromptLookup | None:
    """Return a lookup for a model's rows, where their caches can take tokens back."""
    caches = list(flat(text.caches.make()))
    if not all(isinstance(cache, _EXACT) for cache in caches):
        return None
    windows = [cache.max_size for cache in caches if isinstance(cache, RotatingKVCache)]
    reach = min(windows, default=sys.maxsize)
    return PromptLookup(text.model, vocabulary=text.vocabulary, reach=reach)
