"""Prompts on their way into the batch, in chunks short enough to interleave.

Prompts of similar length are prefilled together. Between two chunks the loop
decodes a step and reads its inbox, so neither a cancel nor another row's next
token waits longer than one chunk.
"""

from __future__ import annotations

import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import mlx.core as mx
from mlx_lm.models.cache import make_prompt_cache

from inference.engines.prefixes import Beginning, PrefixCache

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference.engines.sequences import Sequence
    from inference.engines.vision_rows import PromptImages

# Sequences that answer one and the same prompt, never empty.
Family: TypeAlias = "list[Sequence]"

ROWS_PER_GROUP = 8
# Rows may be padded to at most this many times their length, plus a little.
PADDING_RATIO = 2
PADDING_SLACK = 32
CHUNK_TOKENS_MIN = 16
CHUNK_TOKENS_MAX = 4096
# A last chunk quicker than this is not waited for.
LAZY_S = 0.05
NOTHING_KEPT = Beginning()


class PrefillPace:
    """How fast this machine prefills, learned from past chunks."""

    def __init__(self, *, tokens_per_s: float) -> None:
        self._tokens_per_s = tokens_per_s

    def learn(self, tokens: int, seconds: float) -> None:
        """Take the time that a chunk of `tokens` tokens took."""
        if seconds > 0 and tokens >= CHUNK_TOKENS_MIN:
            self._tokens_per_s += 0.5 * (tokens / seconds - self._tokens_per_s)

    def tokens_in(self, seconds: float) -> int:
        """Return how many tokens one chunk may have to take about `seconds`."""
        fitting = int(self._tokens_per_s * seconds)
        return max(CHUNK_TOKENS_MIN, min(CHUNK_TOKENS_MAX, fitting))

    def seconds_for(self, tokens: int) -> float:
        """Return about how long `tokens` tokens take."""
        return tokens / self._tokens_per_s


class PrefillGroup:
    """Prompts that run through the model together, each without its last token.

    A prompt has one row of the cache, however many sequences (a family) answer it.
    `beginnings` are what is kept of each prompt, to go on from; `make_cache` returns
    the empty caches of one row, by default the model's own.
    """

    def __init__(
        self,
        model: Any,
        families: list[Family],
        beginnings: list[Beginning] | None = None,
        *,
        make_cache: Callable[[], list[Any]] | None = None,
    ) -> None:
        self.families = families
        self.beginnings = beginnings or [NOTHING_KEPT] * len(families)
        self._model = model
        self._done = 0
        self._prompts = [
            family[0].prompt[beginning.held : -1] for family, beginning in self.begun
        ]
        self._lengths = [len(prompt) for prompt in self._prompts]
        self._columns = max(self._lengths)
        make_cache = make_cache or partial(make_prompt_cache, model)
        caches = [
            _begun(list(beginning.caches) or make_cache(), family, beginning.held)
            for family, beginning in self.begun
        ]
        self.cache = caches[0] if len(caches) == 1 else merge_caches(caches)
        self._pad_right()

    @property
    def sequences(self) -> list[Sequence]:
        """The sequences of all prompts."""
        return [sequence for family in self.families for sequence in family]

    @property
    def staying(self) -> list[tuple[int, Sequence]]:
        """The sequences that have not left, each with its row of the cache."""
        return [
            (row, sequence)
            for row, family in enumerate(self.families)
            for sequence in family
            if not sequence.has_left
        ]

    @property
    def begun(self) -> list[tuple[Family, Beginning]]:
        """Each prompt's sequences, with what was kept of the prompt."""
        return list(zip(self.families, self.beginnings, strict=True))

    @property
    def read(self) -> list[int]:
        """The tokens in the cache; none where it is not of a single, known prompt."""
        named = self.families[0][0].named_prompt
        if len(self.families) > 1 or named is None:
            return []
        return named[: self.beginnings[0].held + self._done]

    @property
    def is_done(self) -> bool:
        """Whether all prompts but their last tokens are in the cache."""
        return self._done >= self._columns

    @property
    def is_abandoned(self) -> bool:
        """Whether every sequence has left meanwhile."""
        return all(s.has_left for s in self.sequences)

    def advance(self, pace: PrefillPace, *, target_s: float) -> None:
        """Run the next chunk through the model, and wait for it if it is long.

        A short last chunk stays lazy: the batch's next step computes it along,
        and the rows that are decoding lose no time to it.
        """
        if not self.is_done:
            began = time.monotonic()
            end = self._end_of_chunk(pace.tokens_in(target_s))
            size = (end - self._done) * len(self.families)
            self._model(self._tokens[:, self._done : end], cache=self.cache)
            self._done = end
            if pace.seconds_for(size) > LAZY_S:
                mx.eval([c.state for c in self.cache])
                pace.learn(size, time.monotonic() - began)
                mx.clear_cache()
        if self.is_done and self._is_padded:
            for cache in self.cache:
                cache.finalize()

    def _end_of_chunk(self, tokens: int) -> int:
        """Return the column to stop at; no chunk is left that is hardly worth it."""
        if any(images.is_whole for images in map(_images_of, self.families) if images):
            return self._columns
        width = max(1, tokens // len(self.families))
        end = self._done + width
        return self._columns if end + width // 2 >= self._columns else end

    def _pad_right(self) -> None:
        rows = self._prompts
        padding = [self._columns - length for length in self._lengths]
        self._is_padded = any(padding)
        if self._is_padded:
            rows = [row + [0] * pad for row, pad in zip(rows, padding, strict=True)]
            for cache in self.cache:
                cache.prepare(lengths=self._lengths, right_padding=padding)
        self._tokens = mx.array(rows, dtype=mx.int32)


class PrefillQueue:
    """Families waiting for, or in, prefill; groups take turns chunk by chunk.

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
        self._waiting: deque[Family] = deque()
        self._groups: deque[PrefillGroup] = deque()

    def __len__(self) -> int:
        return sum(len(family) for family in self._waiting) + self.rows

    @property
    def rows(self) -> int:
        """Sequences whose prefill has begun."""
        return sum(len(group.sequences) for group in self._groups)

    def append(self, family: Family) -> None:
        """Let the sequences of one prompt wait for its prefill."""
        self._waiting.append(family)

    def forget_those_who_left(self) -> None:
        """Drop waiting sequences that have left; a begun chunk is not taken back."""
        remaining = ([s for s in family if not s.has_left] for family in self._waiting)
        self._waiting = deque(family for family in remaining if family)

    def form_groups(self, free_rows: int) -> list[PrefillGroup]:
        """Begin prefill for as many waiting sequences as rows are free.

        Returns the groups that were begun.
        """
        begun = []
        while self._waiting and len(self._waiting[0]) <= free_rows:
            families, beginnings = self._next_families(free_rows)
            free_rows -= sum(len(family) for family in families)
            group = PrefillGroup(
                self._model, families, beginnings, make_cache=self._make_cache
            )
            self._groups.append(group)
            begun.append(group)
        return begun

    @property
    def waiting_s(self) -> float:
        """About how long the prompts take whose prefill has not begun."""
        return self._pace.seconds_for(sum(len(f[0].prompt) for f in self._waiting))

    def advance(self, *, target_s: float) -> PrefillGroup | None:
        """Run one chunk of the group whose turn it is; return it once it is done.

        A chunk takes about `target_s` seconds.
        """
        self._drop_abandoned()
        if not self._groups:
            return None
        group = self._groups.popleft()
        try:
            group.advance(self._pace, target_s=target_s)
        except Exception as error:
            raise PrefillError(group, error) from error
        if group.is_done:
            return group
        self._groups.append(group)
        return None

    def _drop_abandoned(self) -> None:
        """Forget the groups whose sequences have all left; keep what one had read.

        A client that gave up often asks the same again.
        """
        for group in self._groups:
            if group.is_abandoned:
                self._prefixes.keep(group.read, group.cache)
        self._groups = deque(g for g in self._groups if not g.is_abandoned)

    def _next_families(self, free_rows: int) -> tuple[list[Family], list[Beginning]]:
        """Return the first in line and those right behind it that pad little.

        With them comes what is kept of each prompt. One that goes on from such a
        beginning is alone: it has little left to prefill.
        """
        families = [self._waiting.popleft()]
        beginnings = [self._beginning_of(families[0])]
        if _is_alone(families[0]) or beginnings[0].held:
            return families, beginnings
        free_rows -= len(families[0])
        shortest = longest = len(families[0][0].prompt)
        while self._waiting and len(families) < self._rows_per_group:
            family = self._waiting[0]
            length = len(family[0].prompt)
            shortest, longest = min(shortest, length), max(longest, length)
            if len(family) > free_rows or not self._fit_together(shortest, longest):
                break
            beginning = self._beginning_of(family)
            if _is_alone(family) or beginning.held:
                break
            free_rows -= len(family)
            families.append(self._waiting.popleft())
            beginnings.append(beginning)
        return families, beginnings

    def _beginning_of(self, family: Family) -> Beginning:
        named = family[0].named_prompt
        return NOTHING_KEPT if named is None else self._prefixes.find(named)

    def _fit_together(self, shortest: int, longest: int) -> bool:
        """Whether prompts of these lengths may run in one group."""
        if shortest == 1:
            # Nothing to prefill: a group without keys could not be taken apart.
            return False
        if not self._can_pad:
            return shortest == longest
        return longest <= PADDING_RATIO * shortest + PADDING_SLACK


def _images_of(family: Family) -> PromptImages | None:
    return family[0].images


def _is_alone(family: Family) -> bool:
    """Whether nothing may be prefilled together with this prompt."""
    images = _images_of(family)
    return images is not None and images.is_alone


def _begun(caches: list[Any], family: Family, held: int) -> list[Any]:
    """Return a row's caches of `held` tokens, which know the images of its prompt."""
    images = _images_of(family)
    if images is not None:
        images.place_in(caches, held)
    return caches


class PrefillError(RuntimeError):
    """The model failed on one group; the others are untouched."""

    def __init__(self, group: PrefillGroup, cause: Exception) -> None:
        super().__init__(str(cause))
        self.group = group


def merge_caches(caches: list[list[Any]]) -> list[Any]:
    """Return one batch cache per layer from one cache list per sequence."""
    return [layer[0].merge(list(layer)) for layer in zip(*caches, strict=True)]
