"""From a worker's word on a sequence to what its client may see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.core.errors import ClientTooSlowError, GenerationError, InferenceError
from inference.core.outcomes import FinishReason
from inference.core.requests import Delta, Usage

if TYPE_CHECKING:
    from inference.core.frames import PromptPrepared, SequenceDelta

_NORMAL_ENDS = frozenset(FinishReason)


def to_delta(gained: SequenceDelta, prompt: PromptPrepared) -> Delta:
    """Turn what the worker said into what the client may see.

    Raises:
        InferenceError: the sequence ended in no way a client asked for.
    """
    if not gained.finish:
        return Delta(text=gained.text)
    if gained.finish not in _NORMAL_ENDS:
        raise _error_for(gained)
    usage = Usage(
        prompt_tokens=prompt.tokens, completion_tokens=gained.completion_tokens
    )
    return Delta(text=gained.text, finish_reason=gained.finish, usage=usage)


def _error_for(gained: SequenceDelta) -> InferenceError:
    if gained.finish == "cancelled":
        return ClientTooSlowError("The stream was given up.")
    return GenerationError(f"The model failed on this request: {gained.message}")
