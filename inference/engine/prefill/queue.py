"""Prompts on their way into the batch, in chunks short enough to interleave.

Prompts of similar length are prefilled together. Between two chunks the loop
decodes a step and reads its inbox, so neither a cancel nor another row's next
token waits longer than one chunk.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from inference.engine.caches.prefixes import PrefixCache, PrefixMatch
from inference.engine.prefill.groups import (
    NOTHING_KEPT,
    PrefillGroup,
    PrefillPace,
    images_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference.engine.sequences.sequence import SequenceGroup

ROWS_PER_GROUP = 8
# Rows may be padded to at most this many times their length, plus a little.
PADDING_RATIO = 2
PADDING_SLACK = 32


class PrefillError(RuntimeError):
    """The model failed on one group; the others are untouched."""

    def __init__(self, group: PrefillGroup, cause: Exception) -> None:
        super().__init__(str(cause))
        self.group = group


class PrefillQueue:
    """Sequence groups waiting for, or in, prefill: it shares the time chunk by chunk.

    `make_cache` returns the empty caches of one row; by default the model's own.
    Where the model cannot be run over padding (`can_pad`), only prompts of one
    length are grouped. With `prefixes`, prompts go on from what is kept of them, and
    what was read of a prompt that nobody waits for any longer is kept.
    """

    def __init__(
        self,
        model: Any,
        *,
        is_batchable: bool,
        pace: PrefillPace,
        make_cache: Callable[[], list[Any]] | None = None,
        can_pad: bool = True,
        prefixes: PrefixCache | None = None,
    ) -> None:
        self._model = model
        self._can_pad = can_pad
        self._prefixes = PrefixCache(0) if prefixes is None else prefixes
        self._make_cache = make_cache
        self._rows_per_group = ROWS_PER_GROUP if is_batchable else 1
        self._pace = pace
        self._waiting: deque[SequenceGroup] = deque()
        self._groups: deque[PrefillGroup] = deque()
        self._to_read: dict[int, int] = {}
        self._turns = 0

    def __len__(self) -> int:
        return sum(len(sequence_group) for sequence_group in self._waiting) + self.rows

    @property
    def rows(self) -> int:
        """Sequences whose prefill has begun."""
        return sum(len(group.sequences) for group in self._groups)

    def append(self, sequence_group: SequenceGroup) -> None:
        """Let the sequences of one prompt wait for its prefill."""
        self._waiting.append(sequence_group)

    def forget_those_who_left(self) -> None:
        """Drop waiting sequences that have left; a begun chunk is not taken back."""
        remaining = (
            [s for s in sequence_group if not s.has_left]
            for sequence_group in self._waiting
        )
        self._waiting = deque(
            sequence_group for sequence_group in remaining if sequence_group
        )

    def form_groups(self, free_rows: int) -> list[PrefillGroup]:
        """Begin prefill for as many waiting sequences as rows are free.

        Returns the groups that were begun.
        """
        begun = []
        while self._waiting and len(self._waiting[0]) <= free_rows:
            sequence_groups, matches = self._next_groups(free_rows)
            free_rows -= sum(len(sequence_group) for sequence_group in sequence_groups)
            group = PrefillGroup(
                self._model, sequence_groups, matches, make_cache=self._make_cache
            )
            self._groups.append(group)
            begun.append(group)
        if not self._waiting:
            self._to_read.clear()
        return begun

    @property
    def waiting_s(self) -> float:
        """About how long the prompts take whose prefill has not begun.

        What is kept of them takes no time.
        """
        return self._pace.seconds_for(sum(map(self._tokens_to_read, self._waiting)))

    def advance(self, *, target_s: float) -> PrefillGroup | None:
        """Run one chunk of the group whose turn it is; return it once it is done.

        A chunk takes about `target_s` seconds.
        """
        self._drop_abandoned()
        if not self._groups:
            return None
        group = self._next_group()
        try:
            group.advance(self._pace, target_s=target_s)
        except Exception as error:
            self._groups.remove(group)
            raise PrefillError(group, error) from error
        if not group.is_done:
            return None
        self._groups.remove(group)
        return group

    def _next_group(self) -> PrefillGroup:
        """Return the oldest group and the one with least left, by turns.

        So groups that are alike end one after the other, not all at the end; a short
        prompt need not wait for a long one, nor that one for ever.
        """
        self._turns += 1
        if self._turns % 2:
            return self._groups[0]
        return min(self._groups, key=lambda group: group.tokens_left)

    def _drop_abandoned(self) -> None:
        """Forget the groups whose sequences have all left; keep what one had read.

        A client that gave up often asks the same again.
        """
        for group in self._groups:
            if group.is_abandoned:
                self._prefixes.keep(group.read, group.rows.caches)
        self._groups = deque(g for g in self._groups if not g.is_abandoned)

    def _next_groups(
        self, free_rows: int
    ) -> tuple[list[SequenceGroup], list[PrefixMatch]]:
        """Return the first in line and those right behind it that pad little.

        With them comes what is kept of each prompt.
        """
        sequence_groups = [self._waiting.popleft()]
        matches = [self._match_of(sequence_groups[0])]
        if _is_alone(sequence_groups[0], matches[0]):
            return sequence_groups, matches
        free_rows -= len(sequence_groups[0])
        while self._waiting and len(sequence_groups) < self._rows_per_group:
            sequence_group = self._waiting[0]
            if len(sequence_group) > free_rows:
                break
            match = self._match_of(sequence_group)
            together = [
                *zip(sequence_groups, matches, strict=True),
                (sequence_group, match),
            ]
            if _is_alone(sequence_group, match) or not self._fit_together(together):
                break
            free_rows -= len(sequence_group)
            sequence_groups.append(self._waiting.popleft())
            matches.append(match)
        return sequence_groups, matches

    def _tokens_to_read(self, sequence_group: SequenceGroup) -> int:
        """Return a waiting prompt's tokens of which nothing was kept when first asked."""
        first = sequence_group[0]
        if first.sequence_id not in self._to_read:
            named = first.named_prompt
            kept = 0 if named is None else self._prefixes.held(named)
            self._to_read[first.sequence_id] = len(first.prompt) - kept
        return self._to_read[first.sequence_id]

    def _match_of(self, sequence_group: SequenceGroup) -> PrefixMatch:
        named = sequence_group[0].named_prompt
        return NOTHING_KEPT if named is None else self._prefixes.find(named)

    def _fit_together(self, prompts: list[tuple[SequenceGroup, PrefixMatch]]) -> bool:
        """Whether these prompts may run in one group."""
        held = [match.held for _, match in prompts]
        left = [
            len(sequence_group[0].prompt) - kept
            for (sequence_group, _), kept in zip(prompts, held, strict=True)
        ]
        if min(left) == 1:
            # Nothing to prefill: a group without keys could not be taken apart.
            return False
        if not self._can_pad:
            return len(set(left)) == 1
        return _pads_little(left) and _pads_little(held)


def _is_alone(sequence_group: SequenceGroup, match: PrefixMatch) -> bool:
    """Whether nothing may be prefilled together with this prompt."""
    images = images_of(sequence_group)
    return not match.can_join or (images is not None and images.is_alone)


def _pads_little(lengths: list[int]) -> bool:
    """Whether rows of these lengths waste little when padded to the longest."""
    return max(lengths) <= PADDING_RATIO * min(lengths) + PADDING_SLACK
