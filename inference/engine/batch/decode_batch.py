"""The running batch: rows, their caches, and one decode step over all of them.

A step launches the forward pass for tokens that are still being computed, then
reads those tokens back while the next ones are on their way. A row that joined
contributes its last prompt token first, so prefill and decode meet in one call.
A row that is alone may get several tokens a step, where that is known to pay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import mlx.core as mx

from inference.engine.hardware.device import is_cpu
from inference.engine.sampling.logprobs import LogitsCapture, StepLogits
from inference.engine.sampling.masking import BatchMasker
from inference.engine.sampling.positions import PositionAdjuster
from inference.engine.sampling.sampler import BatchSampler

if TYPE_CHECKING:
    import numpy as np

    from inference.engine.caches.prefixes import PrefixCache
    from inference.engine.prefill.groups import PrefillGroup
    from inference.engine.row_caches.lone_row import Rows
    from inference.engine.sequences.sequence import Sequence
    from inference.engine.speculation.verifying import Speculation

# mlx-lm's own generator gives pooled buffers back at the same pace.
STEPS_BETWEEN_PURGES = 512


class SampledToken(NamedTuple):
    """A token that was sampled, with the logits behind it where a row wants them.

    `is_ahead`: the row's guide has not taken it yet.
    """

    sequence: Sequence
    token: int
    logits: np.ndarray | None = None
    is_ahead: bool = False


class DecodeBatch:
    """Owns the rows' KV caches. One row keeps the plain, unmasked cache.

    With `prefixes`, what was computed for rows is kept there when they leave.
    """

    def __init__(
        self,
        model: Any,
        speculation: Speculation | None = None,
        *,
        prefixes: PrefixCache | None = None,
    ) -> None:
        self._model = model
        self._prefixes = prefixes
        self._speculation = speculation
        self.rows: list[Sequence] = []
        self.steps = 0
        self._held: Rows | None = None
        self._waits = is_cpu()
        self._tokens: mx.array | None = None
        self._fresh: set[int] = set()
        self._sampler = BatchSampler([])
        self._adjuster = PositionAdjuster([])
        self._masker = BatchMasker([])
        self._logits_capture = LogitsCapture([])
        self._step_logits = StepLogits()

    def __len__(self) -> int:
        return len(self.rows)

    def join(self, group: PrefillGroup) -> None:
        """Add a prefilled group's sequences that have not left meanwhile.

        Several sequences of one prompt each get a copy of its row of the cache.
        """
        staying = group.staying
        if not staying:
            return
        places = [place for place, _ in staying]
        joining = [sequence for _, sequence in staying]
        tokens = mx.array([s.last_prompt_token for s in joining], dtype=mx.uint32)
        if self._held is None or self._tokens is None:
            self._held, self._tokens = group.rows.taken(places), tokens
        else:
            self._held = self._held.joined_by(group.rows, places)
            self._tokens = mx.concatenate([self._tokens, tokens])
        if not self._waits:
            # What is written for them is no part of the step: those stay alike, and a
            # GPU's plan for one serves the next.
            mx.async_eval([cache.state for cache in self._caches])
        self.rows = self.rows + joining
        self._fresh.update(row.sequence_id for row in joining)
        self._rows_changed()

    def step(self, *, may_draft: bool = True) -> list[SampledToken]:
        """Launch the next step and return the tokens of the one before, by row.

        A row that is alone may get several tokens, in order, where `may_draft`
        (nothing waits for its prefill) and speculation pays.
        """
        if self._tokens is None:
            return []
        if self._speculation is None:
            return self._step()
        return self._run_or_step(self._speculation, may_draft=may_draft)

    def _run_or_step(
        self, speculation: Speculation, *, may_draft: bool
    ) -> list[SampledToken]:
        assert self._tokens is not None
        is_alone = may_draft and len(self.rows) == 1 and not self._fresh
        run = None
        if is_alone:
            row = self.rows[0]
            try:
                run = speculation.advance(
                    row, self._caches, self._tokens, self._adjuster
                )
            except Exception:
                # The next row had better do without.
                self._speculation = None
                raise
        if run is None:
            found = self._step()
            speculation.saw_plain_step(counts=is_alone)
            return found
        self._tokens = mx.array([run.following], dtype=mx.uint32)
        self._count_step()
        return [SampledToken(row, token, is_ahead=True) for token in run.tokens]

    def _step(self) -> list[SampledToken]:
        assert self._tokens is not None
        assert self._held is not None
        current, step_logits = self._tokens, self._step_logits
        given = self._held.for_step(current)
        logits = self._model(given[:, None], cache=self._caches)[: len(self.rows), -1]
        self._held.advance(1)
        if self._waits:
            # What a step under way reads cannot be written where it stands: MLX would
            # copy all keys and values. A GPU would stand still between two steps.
            mx.eval(current)
        self._step_logits = self._logits_capture(logits)
        logits = self._adjuster(logits, current, self._fresh)
        if self._masker:
            # What may come next depends on a token that is still being computed:
            # the model runs on meanwhile, sampling has to wait for the masks.
            mx.async_eval(logits)
            self._masker.follow(current.tolist(), self._fresh, logits.shape[-1])
            logits = self._masker(logits)
        self._tokens = self._sampler(logits)
        mx.async_eval(self._tokens, *self._step_logits.arrays)
        mx.eval(current)
        self._count_step()
        return self._read(current, step_logits)

    def _count_step(self) -> None:
        self.steps += 1
        if self.steps % STEPS_BETWEEN_PURGES == 0:
            # Layers that ask for no positions count them in sums that nobody reads.
            mx.eval([cache.state for cache in self._caches])
            mx.clear_cache()

    def leave(self, gone: set[Sequence]) -> None:
        """Take rows out of the batch and their keys and values out of the cache."""
        self._keep_prefixes(gone)
        leaving = {place for place, row in enumerate(self.rows) if row in gone}
        self._fresh.difference_update(row.sequence_id for row in gone)
        if not leaving:
            return
        if len(leaving) == len(self.rows):
            self.clear()
            return
        assert self._tokens is not None
        assert self._held is not None
        keep = self._held.order_without(leaving)
        self._held = self._held.taken(keep)
        self._tokens = self._tokens[mx.array(keep)]
        self.rows = [self.rows[i] for i in keep]
        self._rows_changed()

    def clear(self) -> list[Sequence]:
        """Empty the batch and return the rows it held."""
        rows, self.rows = self.rows, []
        self._held = self._tokens = None
        self._step_logits = StepLogits()
        self._fresh.clear()
        self._rows_changed()
        return rows

    @property
    def _caches(self) -> list[Any]:
        return [] if self._held is None else self._held.caches

    def _keep_prefixes(self, gone: set[Sequence]) -> None:
        """Keep what was computed; of several answers to a prompt, the first."""
        if self._prefixes is None or self._held is None:
            return
        for place, row in enumerate(self.rows):
            if row not in gone or not row.leads or row.named_prompt is None:
                continue
            text = row.named_prompt + row.history
            # Of a row that has just joined the last token was not run yet.
            run = text[: -1 if row.sequence_id in self._fresh else None]
            self._prefixes.keep(run, self._held.row(place))

    def _read(self, tokens: mx.array, step_logits: StepLogits) -> list[SampledToken]:
        values = tokens.tolist()
        logits_of = step_logits.read()
        found = []
        for row, value in zip(self.rows, values, strict=True):
            if row.sequence_id in self._fresh:
                # What was just run was the end of the prompt.
                self._fresh.discard(row.sequence_id)
            else:
                found.append(SampledToken(row, value, logits_of.get(row.sequence_id)))
        return found

    def _rows_changed(self) -> None:
        self._sampler = BatchSampler([row.sampler for row in self.rows])
        self._adjuster = PositionAdjuster(self.rows)
        self._masker = BatchMasker(self.rows)
        self._logits_capture = LogitsCapture(self.rows)
        if self._speculation is not None:
            self._speculation.rows_changed(self.rows)
