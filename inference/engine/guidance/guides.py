"""What one sequence may say next: grammars, forced calls, a bound on thinking.

A guide follows its sequence token by token through stages. It says whether the
next token is free, one certain token, or one that a grammar allows.
"""

from __future__ import annotations

import time
from collections import deque
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inference.core.errors import GrammarExhaustedError
from inference.engine.guidance.followers import (
    AnswerGrammar,
    Follower,
    Stage,
    fill_from,
)
from inference.engine.guidance.masks import ALL, Mask, allow, allow_only, forbid
from inference.engine.text.markers import Marker, RecentTokens
from inference.structure.faults import gist
from inference.structure.grammars import is_exhausted
from inference.structure.limits import Pace

if TYPE_CHECKING:
    from collections.abc import Callable

    from llguidance import LLMatcher

    from inference.engine.guidance.followers import CallGuide

_ERROR_CHARS = 300
_EXHAUSTED = "the grammar became too much work to follow; make it simpler"


@dataclass(frozen=True, slots=True)
class GuidePlan:
    """What holds for the answers to one prompt, whatever their number.

    `answer` is what the whole answer has to match, `marks` how calls in free text
    look. After thinking `resumed` holds in place of `answer`, where it is set, and
    `head` for what follows thinking that a budget has ended. `streams`: calls that a
    grammar holds may be told as they come. `think_start` and `think_end` are the
    model's tags, without a start where an answer cannot begin with thinking;
    `opens_thinking` says that the prompt ends inside it. `ends` are the tokens that
    end an answer, or a part of it: none may come in the thinking before an answer that
    has to have a form. `spell` gives the bytes of a token, for tags that can be spelled in several
    ways, `tokens_of` some tokens for bytes.
    """

    answer: AnswerGrammar | None = None
    marks: tuple[CallGuide, ...] = ()
    resumed: AnswerGrammar | None = None
    head: LLMatcher | None = None
    streams: bool = True
    think_start: Marker | None = None
    think_end: Marker | None = None
    opens_thinking: bool = False
    ends: tuple[int, ...] = ()
    spell: Callable[[int], bytes] | None = None
    tokens_of: Callable[[bytes], list[int]] | None = None

    @property
    def is_strict(self) -> bool:
        """Whether the answer has no free part but its thinking."""
        return self.answer is not None

    def open(self, thinking_budget: int | None) -> Guide | None:
        """Return the guide of one sequence, or `None` where nothing is to guide."""
        thinks = self.think_end is not None and thinking_budget is not None
        if self.answer is None and not self.marks and not thinks:
            return None
        return Guide(self, thinking_budget)


_FREE_STAGES = (Stage.FREE, Stage.OVER)
_MATCHED_STAGES = (Stage.BODY, Stage.CALL, Stage.HEAD)


class Guide:
    """Follows one sequence; used by one thread at a time.

    `accept` takes each token of the answer, `constrains` says whether the next
    one is bound, and `fill` writes which are allowed.
    """

    def __init__(self, plan: GuidePlan, thinking_budget: int | None) -> None:
        self._plan = plan
        self._budget = thinking_budget
        self._thought = 0
        self._has_thought = False
        self._recent = RecentTokens(plan.spell)
        self._forced: deque[int] = deque()
        self._followers: list[Follower] = []
        self.error = ""
        self.error_code = ""
        self._pace = Pace()
        self.stage = Stage.FREE
        self._begin()

    def fork(self) -> Guide:
        """Return a guide at the same place, to be led ahead of this one."""
        ahead = copy(self)
        vars(ahead).update(
            _recent=self._recent.fork(),
            _forced=deque(self._forced),
            _followers=[follower.fork() for follower in self._followers],
        )
        return ahead

    def certain(self) -> list[int]:
        """Return the tokens that have to come next, as far as that is sure."""
        if self.stage is Stage.FORCED:
            return list(self._forced)
        if self.stage in _MATCHED_STAGES and len(self._followers) == 1:
            tokens: list[int] = self._followers[0].matcher.compute_ff_tokens()
            return tokens
        return []

    @property
    def is_over(self) -> bool:
        """Whether the answer is complete: no further token belongs to it."""
        return self.stage is Stage.OVER

    @property
    def holds_call(self) -> bool:
        """Whether what comes next is held to a grammar of calls, and of nothing else."""
        return (
            self._plan.streams
            and self.stage in (Stage.BODY, Stage.CALL)
            and all(follower.is_calls for follower in self._followers)
        )

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
                    self._enter_answer(was_cut=True)
            case Stage.BODY | Stage.CALL | Stage.HEAD:
                self._accept_matched(token)
            case Stage.FREE:
                self._accept_free()
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
            case Stage.BODY | Stage.CALL | Stage.HEAD:
                self._fill_matched(mask)
            case Stage.OPENING if self._plan.is_strict:
                self._fill_matched(mask)
                assert self._plan.think_start is not None
                following = self._recent.next_of(self._plan.think_start)
                if following is not None:
                    allow(mask, following)
            case Stage.THINKING if self._plan.is_strict:
                mask[:] = ALL
                for token in self._plan.ends:
                    forbid(mask, token)
            case _:
                mask[:] = ALL

    # --- stages

    def _begin(self) -> None:
        plan = self._plan
        if plan.opens_thinking:
            self._think()
        elif plan.think_start is not None:
            self._followers = [] if plan.answer is None else plan.answer.open()
            self.stage = Stage.OPENING
        else:
            self._enter_answer()

    def _enter_answer(self, *, was_cut: bool = False) -> None:
        """Begin the answer itself; `was_cut`: a budget has ended the thinking."""
        self._recent.clear()
        plan = self._plan
        answer = (plan.resumed if self._has_thought else None) or plan.answer
        if answer is not None:
            self.stage, self._followers = Stage.BODY, answer.open()
        elif was_cut and plan.head is not None:
            self.stage = Stage.HEAD
            self._followers = AnswerGrammar(text=plan.head).open()
        else:
            self.stage = Stage.FREE

    def _think(self) -> None:
        """Go on thinking, unless the budget is used up."""
        self.stage, self._has_thought = Stage.THINKING, True
        if self._budget is not None and self._thought >= self._budget:
            assert self._plan.think_end is not None
            self._forced = deque(self._plan.think_end.tokens)
            self.stage = Stage.FORCED

    def _accept_thought(self) -> None:
        self._thought += 1
        end = self._plan.think_end
        assert end is not None
        if self._recent.end_with(end):
            self._enter_answer()
        else:
            self._think()

    def _accept_opening(self, token: int) -> None:
        start = self._plan.think_start
        assert start is not None
        if self._recent.end_with(start):
            self._recent.clear()
            self._think()
            return
        begun = self._recent.next_of(start) is not None
        if self._plan.is_strict:
            self._followers = [each for each in self._followers if each.takes(token)]
            if self._followers and self._is_matched():
                self.stage = Stage.OVER
            elif self._followers and not begun:
                self.stage = Stage.BODY
            elif not begun:
                self._give_up("")
        elif not (begun or (start.text and self._recent.may_become(start))):
            self.stage = Stage.FREE
            self._accept_free()

    def _accept_matched(self, token: int) -> None:
        alive = [each for each in self._followers if each.takes(token)]
        if not alive:
            matcher = self._followers[0].matcher
            if matcher.is_error():
                self._give_up_matching(matcher)
            else:
                self._give_up("")
            return
        self._followers = alive
        if not self._is_matched():
            return
        if self.stage is Stage.BODY:
            self.stage = Stage.OVER
        else:
            self._recent.clear()
            self.stage = Stage.FREE

    def _is_matched(self) -> bool:
        """Whether the newest token has ended what had to match."""
        return any(each.matcher.is_stopped() for each in self._followers)

    def _accept_free(self) -> None:
        for mark in self._plan.marks:
            if self._recent.end_with(mark.start) and not (
                mark.begins_line and self._recent.are_inside_line(mark.start)
            ):
                follower = Follower(mark.body.deep_copy(), is_calls=True)
                if self._goes_on(follower, self._recent.after(mark.start)):
                    self.stage, self._followers = Stage.CALL, [follower]
                    return

    def _goes_on(self, follower: Follower, octets: bytes) -> bool:
        """Let a grammar take what the marker's last token said behind it."""
        if not octets:
            return True
        tokens = self._plan.tokens_of(octets) if self._plan.tokens_of else []
        return bool(tokens) and all(map(follower.takes, tokens))

    def _fill_matched(self, mask: Mask) -> None:
        began = time.thread_time()
        fill_from(self._followers, mask)
        is_too_slow = self._pace.add(time.thread_time() - began)
        for follower in self._followers:
            if is_too_slow or follower.matcher.is_error():
                self._give_up_matching(follower.matcher)

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
