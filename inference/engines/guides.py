"""What one sequence may say next: grammars, forced calls, a bound on thinking.

A guide follows its sequence token by token through stages. It says whether the
next token is free, one certain token, or one that a grammar allows.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from llguidance.numpy import fill_next_token_bitmask

from inference.core.errors import GrammarExhaustedError
from inference.engines.markers import Marker, RecentTokens
from inference.engines.token_masks import ALL, Mask, allow, allow_only, forbid
from inference.structure.faults import gist
from inference.structure.grammars import is_exhausted
from inference.structure.limits import Pace

if TYPE_CHECKING:
    from collections.abc import Callable

    from llguidance import LLMatcher

_ERROR_CHARS = 300
_EXHAUSTED = "the grammar became too much work to follow; make it simpler"


@dataclass(frozen=True, slots=True)
class CallGuide:
    """How calls look: a marker, what `body` allows, and the tokens of `end`.

    In free text the body's grammar holds from a marker on. A forced answer is
    one call, or several where `repeats`; then an end token may end it.
    """

    start: Marker
    end: tuple[int, ...]
    body: LLMatcher
    is_forced: bool = False
    repeats: bool = False


@dataclass(frozen=True, slots=True)
class GuidePlan:
    """What holds for the answers to one prompt, whatever their number.

    `body` is what the whole answer (after thinking) must match, or `calls` how
    its calls look; `body_is_calls`: it holds calls. `think_start` and `think_end` are the model's tags, without a
    start where an answer cannot begin with thinking; `opens_thinking` says that
    the prompt ends inside it. `ends` are the tokens that end an answer: none may
    come in the thinking before an answer that has to have a form. `spell` gives the
    bytes of a token, for tags that can be spelled in several ways.
    """

    body: LLMatcher | None = None
    body_is_calls: bool = False
    calls: CallGuide | None = None
    think_start: Marker | None = None
    think_end: Marker | None = None
    opens_thinking: bool = False
    ends: tuple[int, ...] = ()
    spell: Callable[[int], bytes] | None = None

    @property
    def is_strict(self) -> bool:
        """Whether the answer has no free part but its thinking."""
        return self.body is not None or (
            self.calls is not None and self.calls.is_forced
        )

    def open(self, thinking_budget: int | None) -> Guide | None:
        """Return the guide of one sequence, or `None` where nothing is to guide."""
        thinks = self.think_end is not None and thinking_budget is not None
        if self.body is None and self.calls is None and not thinks:
            return None
        return Guide(self, thinking_budget)


class Stage(Enum):
    """Where an answer is."""

    OPENING = "opening"  # the first token: thinking or the answer itself
    THINKING = "thinking"
    FORCED = "forced"
    BODY = "body"
    FREE = "free"
    CALL = "call"
    AFTER_CALL = "after_call"  # one more call, or the end
    OVER = "over"


_FREE_STAGES = (Stage.FREE, Stage.OVER)


class Guide:
    """Follows one sequence; used by one thread at a time.

    `accept` takes each token of the answer, `constrains` says whether the next
    one is bound, and `fill` writes which are allowed.
    """

    def __init__(self, plan: GuidePlan, thinking_budget: int | None) -> None:
        self._plan = plan
        self._budget = thinking_budget
        self._thought = 0
        self._recent = RecentTokens(plan.spell)
        self._forced: deque[int] = deque()
        self._after_forced = Stage.FREE
        self._matcher: LLMatcher | None = None
        self.error = ""
        self.error_code = ""
        self._pace = Pace()
        self.stage = Stage.FREE
        self._begin()

    @property
    def is_over(self) -> bool:
        """Whether the answer is complete: no further token belongs to it."""
        return self.stage is Stage.OVER

    @property
    def holds_call(self) -> bool:
        """Whether what comes next is held to a grammar of calls."""
        if self.stage is Stage.BODY:
            return self._plan.body_is_calls
        return self.stage is Stage.CALL

    @property
    def constrains(self) -> bool:
        """Whether the next token is not free."""
        if self.stage in (Stage.OPENING, Stage.THINKING):
            return self._plan.is_strict
        return self.stage not in _FREE_STAGES

    def accept(self, token: int) -> None:
        """Take the next token of the answer."""
        try:
            self._accept(token)
        except Exception as error:  # noqa: BLE001 -- the other rows go on
            self._give_up(f"{type(error).__name__}: {error}")

    def _accept(self, token: int) -> None:
        self._recent.add(token)
        match self.stage:
            case Stage.OPENING:
                self._accept_opening(token)
            case Stage.THINKING:
                self._accept_thought()
            case Stage.FORCED:
                self._forced.popleft()
                if not self._forced:
                    self._enter(self._after_forced)
            case Stage.BODY | Stage.CALL:
                self._accept_matched(token)
            case Stage.FREE:
                self._accept_free()
            case Stage.AFTER_CALL:
                self._accept_after_call(token)
            case Stage.OVER:
                pass

    def fill(self, mask: Mask) -> None:
        """Write the tokens that may come next into `mask`, one bit each.

        A grammar that fails here ends its own sequence, with an error.
        """
        try:
            self._fill(mask)
        except Exception as error:  # noqa: BLE001 -- the other rows go on
            self._give_up(f"{type(error).__name__}: {error}")
        if self.stage is Stage.OVER:
            mask[:] = ALL

    def _fill(self, mask: Mask) -> None:
        match self.stage:
            case Stage.FORCED:
                allow_only(mask, (self._forced[0],))
            case Stage.BODY | Stage.CALL:
                self._fill_matched(mask)
            case Stage.AFTER_CALL:
                following = (self._calls.start.tokens[0], *self._plan.ends)
                allow_only(mask, following)
            case Stage.OPENING if self._plan.is_strict:
                self._fill_opening(mask)
            case Stage.THINKING if self._plan.is_strict:
                mask[:] = ALL
                for token in self._plan.ends:
                    forbid(mask, token)
            case _:
                mask[:] = ALL

    # --- stages

    @property
    def _calls(self) -> CallGuide:
        calls = self._plan.calls
        assert calls is not None
        return calls

    def _begin(self) -> None:
        plan = self._plan
        if plan.opens_thinking:
            self._think()
        elif plan.think_start is not None:
            if plan.body is not None:
                self._matcher = plan.body.deep_copy()
            self.stage = Stage.OPENING
        else:
            self._enter(Stage.BODY)

    def _enter(self, stage: Stage) -> None:
        """Begin a stage; BODY means the answer itself, whatever holds for it."""
        self._recent.clear()
        plan = self._plan
        if stage is Stage.BODY and plan.body is None:
            if plan.is_strict:
                self._force(self._calls.start.tokens, then=Stage.CALL)
                return
            stage = Stage.FREE
        if stage is Stage.BODY:
            assert plan.body is not None
            self._matcher = plan.body.deep_copy()
        elif stage is Stage.CALL:
            self._matcher = self._calls.body.deep_copy()
        elif stage is Stage.THINKING:
            self._think()
            return
        self.stage = stage

    def _force(self, tokens: tuple[int, ...], then: Stage) -> None:
        self._forced = deque(tokens)
        self._after_forced = then
        if tokens:
            self.stage = Stage.FORCED
        else:
            self._enter(then)

    def _think(self) -> None:
        """Go on thinking, unless the budget is used up."""
        self.stage = Stage.THINKING
        if self._budget is not None and self._thought >= self._budget:
            assert self._plan.think_end is not None
            self._force(self._plan.think_end.tokens, then=Stage.BODY)

    def _accept_thought(self) -> None:
        self._thought += 1
        end = self._plan.think_end
        assert end is not None
        if self._recent.end_with(end):
            self._enter(Stage.BODY)
        else:
            self._think()

    def _accept_opening(self, token: int) -> None:
        start, plan = self._plan.think_start, self._plan
        assert start is not None
        if not plan.is_strict and start.tokens[1:]:
            self._accept_spelled_opening(start)
        elif token == start.tokens[0] and not self._is_ambiguous(start):
            self._force(start.tokens[1:], then=Stage.THINKING)
        elif plan.body is not None:
            self.stage = Stage.BODY
            self._accept_matched(token)
        elif plan.is_strict:
            self._force(self._calls.start.tokens[1:], then=Stage.CALL)
        else:
            self.stage = Stage.FREE
            self._accept_free()

    def _accept_spelled_opening(self, start: Marker) -> None:
        if self._recent.end_with(start):
            self._enter(Stage.THINKING)
        elif not (start.text and self._recent.may_become(start)):
            self.stage = Stage.FREE
            self._accept_free()

    def _is_ambiguous(self, start: Marker) -> bool:
        """Whether a tag of ordinary text begins as the answer itself may."""
        if not start.text or self._matcher is None:
            return False
        return bool(self._matcher.validate_tokens([start.tokens[0]]))

    def _accept_matched(self, token: int) -> None:
        matcher = self._matcher
        assert matcher is not None
        if not matcher.consume_token(token) or matcher.is_error():
            self._give_up_matching(matcher)
        elif matcher.is_stopped():
            if self.stage is Stage.BODY:
                self.stage = Stage.OVER
            else:
                self._force(self._calls.end, then=self._stage_after_call())

    def _stage_after_call(self) -> Stage:
        calls = self._calls
        if not calls.is_forced:
            return Stage.FREE
        return Stage.AFTER_CALL if calls.repeats else Stage.OVER

    def _accept_after_call(self, token: int) -> None:
        if token == self._calls.start.tokens[0]:
            self._force(self._calls.start.tokens[1:], then=Stage.CALL)
        else:
            self.stage = Stage.OVER

    def _accept_free(self) -> None:
        calls = self._plan.calls
        if calls is not None and self._recent.end_with(calls.start):
            self._enter(Stage.CALL)

    def _fill_matched(self, mask: Mask) -> None:
        assert self._matcher is not None
        began = time.thread_time()
        fill_next_token_bitmask(self._matcher, mask[None, :])
        is_too_slow = self._pace.add(time.thread_time() - began)
        if is_too_slow or self._matcher.is_error():
            self._give_up_matching(self._matcher)

    def _give_up_matching(self, matcher: LLMatcher) -> None:
        """End with what the matcher says; one without an error took too long."""
        if matcher.is_error() and not is_exhausted(matcher):
            self._give_up(gist(matcher.get_error()))
        else:
            self._give_up(_EXHAUSTED)
            self.error_code = GrammarExhaustedError.code

    def _give_up(self, why: str) -> None:
        self.error = why[:_ERROR_CHARS] or "a token was not allowed"
        self.stage = Stage.OVER

    def _fill_opening(self, mask: Mask) -> None:
        assert self._plan.think_start is not None
        if self._plan.body is not None:
            self._fill_matched(mask)
        else:
            allow_only(mask, (self._calls.start.tokens[0],))
        allow(mask, self._plan.think_start.tokens[0])
