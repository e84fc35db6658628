"""Prompts that run through the model together, and how fast they do."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

import mlx.core as mx
from mlx_lm.models.cache import make_prompt_cache

from inference.engine.caches.prefixes import PrefixMatch
from inference.engine.hardware.device import device_name
from inference.engine.row_caches.rows import rows_of
from inference.engine.row_caches.slot_rows import fit_slots

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference.engine.caches.row_places import PromptImages
    from inference.engine.sequences.sequence import Sequence, SequenceGroup

CHUNK_TOKENS_MIN = 16
CHUNK_TOKENS_MAX = 4096
# The narrowest of the few widths, where only such are run.
WIDTH_LEAST = 32
# A last chunk quicker than this is not waited for.
LAZY_S = 0.05
NOTHING_KEPT = PrefixMatch()


class PrefillPace:
    """How fast this machine prefills, learned from past chunks.

    `has_few_widths`: chunks had best be only as wide as `width_for` says. On CUDA a
    width not seen before takes many times as long. `is_ahead`: what is launched while
    a step runs is not waited for by it, so that steps keep one shape of their own.
    """

    def __init__(
        self,
        *,
        tokens_per_s: float,
        has_few_widths: bool = False,
        is_ahead: bool = False,
    ) -> None:
        self._tokens_per_s = tokens_per_s
        self.has_few_widths = has_few_widths
        self.is_ahead = is_ahead

    @classmethod
    def of_this_machine(cls) -> PrefillPace:
        """Return what is taken to be so before anything was learned."""
        device = device_name()
        return cls(
            tokens_per_s=200.0 if device == "cpu" else 4000.0,
            has_few_widths=device == "cuda",
            is_ahead=device != "cpu",
        )

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

    A prompt has one row of the cache, however many sequences answer it.
    `matches` are what is kept of each prompt, to go on from; `make_cache` returns
    the empty caches of one row, by default the model's own.
    """

    def __init__(
        self,
        model: Any,
        sequence_groups: list[SequenceGroup],
        matches: list[PrefixMatch] | None = None,
        *,
        make_cache: Callable[[], list[Any]] | None = None,
    ) -> None:
        self.sequence_groups = sequence_groups
        self.matches = matches or [NOTHING_KEPT] * len(sequence_groups)
        self._model = model
        self._done = 0
        self._prompts = [
            sequence_group[0].prompt[match.held : -1]
            for sequence_group, match in self.begun
        ]
        self._lengths = [len(prompt) for prompt in self._prompts]
        self._columns = max(self._lengths)
        make_cache = make_cache or partial(make_prompt_cache, model)
        caches = [
            _begun(list(match.caches) or make_cache(), sequence_group, match.held)
            for sequence_group, match in self.begun
        ]
        self.rows = rows_of(caches)
        self._can_widen = fit_slots(caches[0]) and not any(
            map(images_of, sequence_groups)
        )
        self._padding = [self._columns - length for length in self._lengths]
        self._tokens = self._padded()

    @property
    def sequences(self) -> list[Sequence]:
        """The sequences of all prompts."""
        return [
            sequence
            for sequence_group in self.sequence_groups
            for sequence in sequence_group
        ]

    @property
    def staying(self) -> list[tuple[int, Sequence]]:
        """The sequences that have not left, each with its row of the cache."""
        return [
            (row, sequence)
            for row, sequence_group in enumerate(self.sequence_groups)
            for sequence in sequence_group
            if not sequence.has_left
        ]

    @property
    def begun(self) -> list[tuple[SequenceGroup, PrefixMatch]]:
        """Each prompt's sequences, with what was kept of the prompt."""
        return list(zip(self.sequence_groups, self.matches, strict=True))

    @property
    def read(self) -> list[int]:
        """The tokens in the cache; none where it is not of a single, known prompt."""
        named = self.sequence_groups[0][0].named_prompt
        if len(self.sequence_groups) > 1 or named is None:
            return []
        return named[: self.matches[0].held + self._done]

    @property
    def is_done(self) -> bool:
        """Whether all prompts but their last tokens are in the cache."""
        return self._done >= self._columns

    @property
    def tokens_left(self) -> int:
        """Tokens that still have to be run, padding included."""
        return (self._columns - self._done) * len(self.sequence_groups)

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
            is_widened = pace.has_few_widths and self._can_widen
            end = self._end_of_chunk(pace.tokens_in(target_s), is_widened=is_widened)
            size = (end - self._done) * len(self.sequence_groups)
            tokens = self._tokens[:, self._done : end]
            if is_widened:
                tokens = self._widened(tokens)
            self._model(tokens, cache=self.rows.caches)
            self.rows.advance(tokens.shape[1])
            self._done = end
            if pace.seconds_for(size) > LAZY_S:
                mx.eval([cache.state for cache in self.rows.caches])
                pace.learn(size, time.monotonic() - began)
                mx.clear_cache()
            elif pace.is_ahead:
                mx.async_eval([cache.state for cache in self.rows.caches])
        if self.is_done and any(self._padding):
            self.rows.unpad()
            self._padding = []

    def _end_of_chunk(self, tokens: int, *, is_widened: bool) -> int:
        """Return the column to stop at; no chunk is left that is hardly worth it."""
        if any(
            images.is_whole for images in map(images_of, self.sequence_groups) if images
        ):
            return self._columns
        width = max(1, tokens // len(self.sequence_groups))
        if is_widened:
            width = max(WIDTH_LEAST, 1 << (width.bit_length() - 1))
        end = self._done + width
        return self._columns if end + width // 2 >= self._columns else end

    def _padded(self) -> mx.array:
        """Return the tokens of all rows, and announce what is none of theirs."""
        rows = self._prompts
        if any(self._padding):
            pairs = zip(rows, self._padding, strict=True)
            rows = [row + [0] * pad for row, pad in pairs]
            self.rows.pad(self._lengths, self._padding)
        return mx.array(rows, dtype=mx.int32)

    def _widened(self, tokens: mx.array) -> mx.array:
        """Return a chunk's tokens; behind those of the last one, padding."""
        extra = width_for(tokens.shape[1]) - tokens.shape[1]
        if not extra:
            return tokens
        self._padding = [padding + extra for padding in self._padding]
        self.rows.pad(self._lengths, self._padding)
        return mx.pad(tokens, [(0, 0), (0, extra)])


def width_for(tokens: int) -> int:
    """Return the next of few widths: powers of two, and one and a half of each."""
    if tokens <= WIDTH_LEAST:
        return WIDTH_LEAST
    power = 1 << (tokens - 1).bit_length()
    between = power - power // 4
    return between if tokens <= between else power


def images_of(sequence_group: SequenceGroup) -> PromptImages | None:
    """Return the images of a sequence group's prompt."""
    return sequence_group[0].images


def _begun(caches: list[Any], sequence_group: SequenceGroup, held: int) -> list[Any]:
    """Return a row's caches of `held` tokens, which know the images of its prompt."""
    images = images_of(sequence_group)
    if images is not None:
        images.place_in(caches, held)
    return caches
