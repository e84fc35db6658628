"""One sequence in the worker: from its prompt to its last token."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inference.engines.sampling import RowSampler

if TYPE_CHECKING:
    from inference.core.requests import SamplingSpec


@dataclass(slots=True, eq=False)
class Sequence:
    """Owned by the MLX thread. `prompt` is never empty; ids are the web's.

    `history` holds the completion tokens read so far; `end_ids` are the tokens
    that end this sequence.
    """

    sequence_id: int
    prompt: list[int]
    spec: SamplingSpec
    sampler: RowSampler
    end_ids: frozenset[int]
    history: list[int] = field(default_factory=list)
    has_left: bool = False

    @classmethod
    def of(
        cls,
        sequence_id: int,
        prompt: list[int],
        spec: SamplingSpec,
        *,
        eos_ids: frozenset[int] = frozenset(),
    ) -> Sequence:
        """Return a sequence that has generated nothing yet."""
        own_ends = frozenset() if spec.ignore_eos else eos_ids
        return cls(
            sequence_id=sequence_id,
            prompt=prompt,
            spec=spec,
            sampler=RowSampler.of(spec),
            end_ids=own_ends | frozenset(spec.stop_token_ids),
        )

    @property
    def last_prompt_token(self) -> int:
        """The token that decoding starts from."""
        return self.prompt[-1]

    @property
    def max_tokens(self) -> int:
        """How many completion tokens it may have."""
        return self.spec.max_tokens


@dataclass(frozen=True, slots=True)
class Emission:
    """One token of one sequence, or its end; from the MLX thread to the sender.

    `token` is `None` where a sequence ends without a further token. `finish` is
    empty, `stop`, `length`, `cancelled` or `failed`.
    """

    sequence_id: int
    token: int | None
    finish: str = ""
    message: str = ""
