"""One sequence in the worker: from its prompt to its last token."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from inference.engine.sequences.row_sampler import RowSampler

if TYPE_CHECKING:
    import numpy as np

    from inference.core.requests import SamplingSpec
    from inference.engine.caches.row_places import PromptImages
    from inference.engine.guidance.guides import Guide


@dataclass(slots=True, eq=False)
class Sequence:
    """Owned by the MLX thread. `prompt` is never empty; ids are the web's.

    `history` holds the completion tokens read so far; `end_ids` are the tokens
    that end this sequence; `guide` says what it may say, where anything does.
    `images` are those of its prompt, encoded, where it has some. `leads` says that it
    is the first of those that answer one prompt.
    """

    sequence_id: int
    prompt: list[int]
    spec: SamplingSpec
    sampler: RowSampler
    end_ids: frozenset[int]
    guide: Guide | None = None
    images: PromptImages | None = None
    history: list[int] = field(default_factory=list)
    has_left: bool = False
    leads: bool = True

    @classmethod
    def of(
        cls,
        sequence_id: int,
        prompt: list[int],
        spec: SamplingSpec,
        *,
        eos_ids: frozenset[int] = frozenset(),
        guide: Guide | None = None,
        leads: bool = True,
    ) -> Sequence:
        """Return a sequence that has generated nothing yet."""
        own_ends = frozenset() if spec.ignore_eos else eos_ids
        end_ids = own_ends | frozenset(spec.stop_token_ids)
        return cls(
            sequence_id=sequence_id,
            prompt=prompt,
            spec=spec,
            sampler=RowSampler.of(spec, kept=end_ids),
            end_ids=end_ids,
            guide=guide,
            leads=leads,
        )

    @property
    def named_prompt(self) -> list[int] | None:
        """The prompt with its images told apart; None where they cannot be."""
        return self.prompt if self.images is None else self.images.named(self.prompt)

    @property
    def is_complete(self) -> bool:
        """Whether what the answer had to look like has been written to its end."""
        return self.guide is not None and self.guide.is_over

    @property
    def is_held(self) -> bool:
        """Whether what it says next is held to a grammar of calls."""
        return self.guide is not None and self.guide.holds_call

    @property
    def error(self) -> str:
        """Why its guide had to give up; empty while all is well."""
        return "" if self.guide is None else self.guide.error

    @property
    def error_code(self) -> str:
        """The code of that error, where it has one of its own."""
        return "" if self.guide is None else self.guide.error_code

    @property
    def last_prompt_token(self) -> int:
        """The token that decoding starts from."""
        return self.prompt[-1]

    @property
    def max_tokens(self) -> int:
        """How many completion tokens it may have."""
        return self.spec.max_tokens


# Sequences that answer one and the same prompt, never empty.
SequenceGroup: TypeAlias = list[Sequence]


@dataclass(frozen=True, slots=True)
class Emission:
    """One token of one sequence, or its end; from the MLX thread to the sender.

    `token` is `None` where a sequence ends without a further token, and
    `is_hidden` one that only ends it. `finish` is empty, `stop`, `length`,
    `cancelled` or `failed`. `logits` are those the token was chosen from, before
    anything moved them, where the request wants to know. `is_held`: what follows is
    held to a grammar of calls.
    """

    sequence_id: int
    token: int | None
    finish: str = ""
    message: str = ""
    code: str = ""
    is_hidden: bool = False
    is_held: bool = False
    logits: np.ndarray | None = None


def spec_of(spec: SamplingSpec, place: int) -> SamplingSpec:
    """Return the settings of the choice at `place`: each has a seed of its own."""
    if spec.seed is None or place == 0:
        return spec
    return msgspec.structs.replace(spec, seed=spec.seed + place)
