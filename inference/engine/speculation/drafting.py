"""Several tokens a step: a draft proposes, the model checks, what is right is kept.

Only ever for one row that decodes alone. The model chooses each token itself,
with the row's own random numbers, so the text is the one it would have written
without a draft; a right proposal only means that the next position is computed
already.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import mlx.core as mx
from mlx_lm.models.cache import make_prompt_cache

from inference.engine.hardware.device import is_cpu
from inference.engine.prefill.groups import PrefillPace
from inference.engine.sampling.positions import PositionAdjuster, PositionSampler
from inference.engine.speculation.gains import DEPTH_MOST, DraftGains, DraftMode
from inference.engine.speculation.verifying import (
    RunResult,
    StepTimer,
    room_of,
    tokens_from,
    trim,
    verify,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference.engine.sequences.sequence import Sequence
    from inference.engine.speculation.draft_model import DraftModel

# Picks a token for each row of logits.
Choice: TypeAlias = "Callable[[mx.array], mx.array]"

# Tokens that the draft may read along with a run; more are a catch-up.
READ_ALONG = 2
# A catch-up's chunk takes about this long, or two steps where they are slower.
CATCH_UP_S = 0.1


class Drafter:
    """Owns the draft's cache, which follows one row."""

    def __init__(self, draft: DraftModel) -> None:
        self._model = draft.model
        self._proposable = draft.proposable
        self._pace = PrefillPace(tokens_per_s=400.0 if is_cpu() else 8000.0)
        self._cache: list[Any] = []
        self.held = 0

    def begin(self) -> None:
        """Start an empty cache, for another row."""
        self._cache, self.held = make_prompt_cache(self._model), 0

    def forget(self) -> None:
        """Give the cache's memory back."""
        self._cache, self.held = [], 0

    def seconds_for(self, tokens: int) -> float:
        """Return about how long it takes to read so many tokens."""
        return self._pace.seconds_for(tokens)

    def read(self, tokens: list[int], clock: Callable[[], float]) -> float:
        """Read about `CATCH_UP_S` seconds' worth of the tokens; return the seconds."""
        began = clock()
        chunk = tokens[: self._pace.tokens_in(CATCH_UP_S)]
        self._model(mx.array([chunk]), cache=self._cache)
        mx.eval([layer.state for layer in self._cache])
        mx.clear_cache()
        self.held += len(chunk)
        took_s = clock() - began
        self._pace.learn(len(chunk), took_s)
        return took_s

    def propose(self, tokens: list[int], choices: list[Choice]) -> list[mx.array]:
        """Read `tokens` and propose one more with each of `choices`, lazily."""
        found = []
        newest = mx.array(tokens, dtype=mx.uint32)
        self.held += len(tokens) - 1
        for choose in choices:
            logits = self._model(newest[None], cache=self._cache)[:, -1, :]
            newest = choose(logits[:, : self._proposable]).astype(mx.uint32)
            mx.async_eval(newest)
            found.append(newest)
            self.held += 1
        return found

    def keep(self, tokens: int) -> None:
        """Take back what was read behind the first `tokens` tokens of the row."""
        trim(self._cache, self.held - tokens)
        self.held = min(self.held, tokens)


class Speculator:
    """Owns what speeds up the row that decodes alone, and knows whether it does."""

    def __init__(self, model: Any, draft: DraftModel) -> None:
        self._model = model
        self._draft = draft
        self._drafter = Drafter(draft)
        self._timer = StepTimer(draft.clock)
        self._gains = DraftGains()
        self._row: Sequence | None = None
        self._suits = False
        self._sampler: PositionSampler | None = None

    def rows_changed(self, rows: list[Sequence]) -> None:
        """Forget the row that was followed once it has left."""
        if self._row is not None and self._row not in rows:
            self._gains.end_row(len(self._row.history))
            self._drafter.forget()
            self._row = self._sampler = None
        self._timer.forget()

    def saw_plain_step(self, *, counts: bool) -> None:
        """A step without the draft has ended; `counts`: of one row that is alone."""
        took_s = self._timer.plain_ended(counts=counts)
        if took_s is not None:
            self._gains.saw_plain(took_s)

    def advance(
        self,
        row: Sequence,
        cache: list[Any],
        newest: mx.array,
        adjuster: PositionAdjuster,
    ) -> RunResult | None:
        """Make a run from the row's newest token; `None`: a plain step is due.

        Everything before `newest` has been read from the batch into the row's
        history, and is in `cache`.
        """
        if row is not self._row:
            self._follow(row)
        if not self._suits or len(row.history) < row.spec.min_tokens:
            return None
        mode = self._gains.mode(is_greedy=row.sampler.is_greedy)
        depth = self._gains.depth(room_of(row, self._draft.reach), mode)
        if depth == 0 or not self._may_catch_up(row):
            return None
        first = self._timer.read(newest)
        if not self._catch_up(row, first):
            return None
        if self._sampler is None:
            self._sampler = PositionSampler(row.sampler, most=DEPTH_MOST + 1)
        choices = _choices(self._sampler, depth, mode)
        run = self._run(row, cache, first, choices, adjuster)
        accepted = len(run.tokens) - 1
        self._gains.saw_run(depth, accepted, self._timer.run_ended(), mode)
        return run

    def _follow(self, row: Sequence) -> None:
        self._row, self._sampler = row, None
        self._drafter.begin()
        self._gains.begin_row()
        # A draft has not seen the images of a row.
        self._suits = (
            row.guide is None and row.spec.logprobs is None and row.images is None
        )

    def _missing(self, row: Sequence) -> int:
        """Return how many tokens before the newest one the draft has not read."""
        return len(row.prompt) + len(row.history) - self._drafter.held

    def _may_catch_up(self, row: Sequence) -> bool:
        missing = self._missing(row)
        return missing <= READ_ALONG or self._gains.affords(
            self._drafter.seconds_for(missing),
            tokens_so_far=len(row.history),
            tokens_most=row.max_tokens,
        )

    def _catch_up(self, row: Sequence, first: int) -> bool:
        """Have the draft read what it missed, a chunk a step; return whether it has."""
        missed = tokens_from(row, self._drafter.held)
        if max([*missed, first]) >= self._draft.vocabulary:
            # A model may say what is no token, and not every draft can read it.
            self._suits = False
            return False
        if len(missed) <= READ_ALONG:
            return True
        self._gains.saw_catch_up(self._drafter.read(missed, self._draft.clock))
        has_caught_up = self._missing(row) <= READ_ALONG
        if has_caught_up:
            self._timer.restart()
        else:
            self._timer.forget()
        return has_caught_up

    def _run(
        self,
        row: Sequence,
        cache: list[Any],
        first: int,
        choices: list[Choice],
        adjuster: PositionAdjuster,
    ) -> RunResult:
        sampler, depth = self._sampler, len(choices)
        assert sampler is not None
        held = len(row.prompt) + len(row.history)
        sampler.begin(depth + 1)
        read_along = tokens_from(row, self._drafter.held)
        proposals = self._drafter.propose([*read_along, first], choices)
        tokens = mx.concatenate([mx.array([first], dtype=mx.uint32), *proposals])
        adjust = partial(adjuster.adjust_positions, tokens=tokens)
        run = verify(self._model, cache, tokens, sampler, adjust, adjuster)
        self._drafter.keep(held + len(run.tokens))
        return run


def _choices(sampler: PositionSampler, depth: int, mode: DraftMode) -> list[Choice]:
    """Return how each proposal is chosen from the draft's logits."""
    if mode is DraftMode.DRAWN:
        return [partial(sampler.propose, at) for at in range(depth)]
    return [_likeliest] * depth


def _likeliest(logits: mx.array) -> mx.array:
    return mx.argmax(logits, axis=-1)
