"""From a worker's word on its sequences to what their client may see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.core.errors import (
    ClientTooSlowError,
    GenerationError,
    GrammarExhaustedError,
    InferenceError,
)
from inference.core.frames import CANCELLED
from inference.core.outcomes import FinishReason
from inference.core.requests import Delta, Usage

if TYPE_CHECKING:
    from inference.core.frames import SequenceDelta

_NORMAL_ENDS = frozenset(FinishReason)


class ChoiceCounter:
    """Counts one request's tokens over its choices; knows when all have ended.

    `echoes` are the texts of the choices' prompts, where they are to be told.
    `cached_tokens` is how many of the prompts' were not computed again; `failure` is
    set once a sequence ended in no way a client asked for.
    """

    def __init__(
        self,
        *,
        prompt_tokens: int,
        choices: int,
        is_continuous: bool,
        echoes: tuple[str, ...] = (),
    ) -> None:
        self._prompt_tokens = prompt_tokens
        self._is_continuous = is_continuous
        self._completion: dict[int, int] = {}
        self._reasoning: dict[int, int] = {}
        self._open = set(range(choices))
        self._echoes = dict(enumerate(echoes))
        self.warnings: list[str] = []
        self.cached_tokens = 0
        self.failure: InferenceError | None = None

    @property
    def all_ended(self) -> bool:
        """Whether every choice has its finish reason."""
        return not self._open

    def delta(self, gained: SequenceDelta, choice: int) -> Delta | None:
        """Turn what the worker said into what the client may see, if it may."""
        self._completion[choice] = gained.completion_tokens
        self._reasoning[choice] = gained.reasoning_tokens
        is_end = gained.finish in _NORMAL_ENDS
        if is_end:
            self._open.discard(choice)
            if gained.message:
                self.warnings.append(gained.message)
        if gained.finish and not is_end:
            self.failure = self.failure or _error_for(gained)
            if not gained.tokens:
                return None
        return self._delta(gained, choice, is_end=is_end)

    def _delta(self, gained: SequenceDelta, choice: int, *, is_end: bool) -> Delta:
        return Delta(
            text=gained.text,
            index=choice,
            finish_reason=gained.finish if is_end else None,
            usage=self._usage() if self._is_continuous or self.all_ended else None,
            reasoning=gained.reasoning,
            tool_calls=gained.tool_calls,
            logprobs=gained.logprobs,
            prompt_text=self._echoes.pop(choice, ""),
            prompt_logprobs=gained.prompt_logprobs,
            stop=gained.stop,
        )

    def _usage(self) -> Usage:
        return Usage(
            prompt_tokens=self._prompt_tokens,
            completion_tokens=sum(self._completion.values()),
            cached_tokens=self.cached_tokens,
            reasoning_tokens=sum(self._reasoning.values()),
        )


def _error_for(gained: SequenceDelta) -> InferenceError:
    if gained.finish == CANCELLED:
        return ClientTooSlowError("The stream was given up.")
    if gained.code == GrammarExhaustedError.code:
        return GrammarExhaustedError(f"The answer was ended: {gained.message}.")
    return GenerationError(f"The model failed on this request: {gained.message}")
