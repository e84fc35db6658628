"""One sequence in the worker: from its prompt to its last token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inference.engines.sampling import RowSampler

if TYPE_CHECKING:
    from inference.core.requests import SamplingSpec


@dataclass(slots=True, eq=False)
class Sequence:
    """Owned by the MLX thread. `prompt` is never empty; ids are the web's."""

    sequence_id: int
    prompt: list[int]
    max_tokens: int
    sampler: RowSampler
    generated: int = 0
    has_left: bool = False

    @classmethod
    def of(cls, sequence_id: int, prompt: list[int], spec: SamplingSpec) -> Sequence:
        """Return a sequence that has generated nothing yet."""
        return cls(
            sequence_id=sequence_id,
            prompt=prompt,
            max_tokens=spec.max_tokens,
            sampler=RowSampler.of(spec),
        )

    @property
    def last_prompt_token(self) -> int:
        """The token that decoding starts from."""
        return self.prompt[-1]


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
