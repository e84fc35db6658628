"""From a worker's word on a sequence to what its client may see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.core.errors import ClientTooSlowError, GenerationError, InferenceError
from inference.core.frames import CANCELLED
from inference.core.outcomes import FinishReason
from inference.core.requests import Delta, Usage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inference.core.frames import PromptPrepared, SequenceDelta

_NORMAL_ENDS = frozenset(FinishReason)


def to_deltas(
    gained: SequenceDelta, prompt: PromptPrepared
) -> Iterator[tuple[Delta, int]]:
    """Turn what the worker said into what the client may see, with token counts.

    What came before a bad end is still handed out.

    Raises:
        InferenceError: the sequence ended in no way a client asked for.
    """
    if not gained.finish:
        yield Delta(text=gained.text), gained.tokens
    elif gained.finish in _NORMAL_ENDS:
        usage = Usage(
            prompt_tokens=prompt.tokens, completion_tokens=gained.completion_tokens
        )
        last = Delta(text=gained.text, finish_reason=gained.finish, usage=usage)
        yield last, gained.tokens
    else:
        if gained.tokens:
            yield Delta(text=gained.text), gained.tokens
        raise _error_for(gained)


def _error_for(gained: SequenceDelta) -> InferenceError:
    if gained.finish == CANCELLED:
        return ClientTooSlowError("The stream was given up.")
    return GenerationError(f"The model failed on this request: {gained.message}")
