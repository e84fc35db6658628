"""What a step's tokens are to their sequences: more of the answer, or its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.core.frames import FAILED
from inference.core.outcomes import FinishReason
from inference.engine.sequences.sequence import Emission

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inference.engine.batch.decode_batch import SampledToken
    from inference.engine.sequences.sequence import Sequence


def take_step(
    chosen: Iterable[SampledToken], *, eos_ids: frozenset[int]
) -> tuple[list[Emission], set[Sequence]]:
    """Add a step's tokens to their sequences' histories; return what to send.

    With it come the sequences that ended; they are marked as left. What was chosen
    for a sequence behind its end is dropped.
    """
    emissions = []
    gone: set[Sequence] = set()
    for sequence, token, logits, is_ahead in chosen:
        if sequence in gone:
            continue
        if is_ahead and sequence.guide is not None:
            sequence.guide.accept(token)
        finish = _finish_after(sequence, token)
        emissions.append(
            Emission(
                sequence.sequence_id,
                token,
                finish,
                message=sequence.error if finish == FAILED else "",
                code=sequence.error_code if finish == FAILED else "",
                is_hidden=_is_hidden(sequence, token, finish, eos_ids),
                is_held=sequence.is_held,
                logits=logits,
            )
        )
        if finish:
            sequence.has_left = True
            gone.add(sequence)
    return emissions, gone


def _finish_after(sequence: Sequence, token: int) -> str:
    sequence.history.append(token)
    if sequence.error:
        return FAILED
    if token in sequence.end_ids or sequence.is_complete:
        return FinishReason.STOP
    if len(sequence.history) >= sequence.max_tokens:
        return FinishReason.LENGTH
    return ""


def _is_hidden(
    sequence: Sequence, token: int, finish: str, eos_ids: frozenset[int]
) -> bool:
    """Whether a token only ends its answer, or should not have come."""
    if finish == FAILED or token in sequence.end_ids:
        return True
    # Told to go on after end tokens, but the structure ended with one.
    return sequence.is_complete and token in eos_ids
