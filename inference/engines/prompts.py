"""The prepare pool: messages to tokens, away from the MLX thread.

Fast tokenizers must not be used by two threads at once, so one lock guards
them; the pool exists so that the reader thread never waits for a long prompt.
"""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from inference.core.errors import (
    ContextLengthExceededError,
    InferenceError,
)
from inference.core.frames import PreparePrompt, PrepareRefused, PromptPrepared
from inference.prompting.templates import to_prompt_tokens

if TYPE_CHECKING:
    from inference.engines.sender import Sender
    from inference.engines.text import TextModel

logger = logging.getLogger(__name__)
THREADS = 2


class PromptDesk:
    """Owns the prompts that were prepared and not yet generated from."""

    def __init__(self, text: TextModel, sender: Sender) -> None:
        self._text = text
        self._sender = sender
        self._prompts: dict[int, list[int]] = {}
        self._dropped: set[int] = set()
        self._preparing = 0
        self._prompts_lock = threading.Lock()
        self._tokenizer_lock = threading.Lock()
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="prepare")

    @property
    def in_flight(self) -> int:
        """Prompts being prepared, or prepared and not yet generated from."""
        with self._prompts_lock:
            return self._preparing + len(self._prompts)

    def submit(self, command: PreparePrompt) -> None:
        """Prepare a prompt in the pool and report the result."""
        with self._prompts_lock:
            self._preparing += 1
        self._pool.submit(self._prepare, command)

    def take(self, prompt_id: int) -> list[int] | None:
        """Hand a prepared prompt over, once."""
        with self._prompts_lock:
            return self._prompts.pop(prompt_id, None)

    def drop(self, prompt_id: int) -> None:
        """Forget a prompt, also one whose preparation still runs."""
        with self._prompts_lock:
            if self._prompts.pop(prompt_id, None) is None:
                self._dropped.add(prompt_id)

    def _prepare(self, command: PreparePrompt) -> None:
        began = time.monotonic()
        try:
            tokens = self._tokens_of(command)
        except InferenceError as error:
            self._refuse(command, error.code, error.message, error.param)
        except Exception as error:
            logger.exception("A prompt could not be prepared")
            self._refuse(command, "internal_error", str(error), None)
        else:
            self._keep(command.prompt_id, tokens)
            self._sender.send(
                PromptPrepared(
                    prompt_id=command.prompt_id,
                    tokens=len(tokens),
                    prepare_s=time.monotonic() - began,
                )
            )

    def _tokens_of(self, command: PreparePrompt) -> list[int]:
        with self._tokenizer_lock:
            tokens = to_prompt_tokens(self._text.tokenizer, command.messages)
        if len(tokens) >= self._text.context_length:
            raise ContextLengthExceededError(
                f"This model's maximum context length is {self._text.context_length} "
                f"tokens; your messages are {len(tokens)} tokens, which leaves no "
                "room for an answer.",
                param="messages",
            )
        return tokens

    def _keep(self, prompt_id: int, tokens: list[int]) -> None:
        with self._prompts_lock:
            self._preparing -= 1
            if prompt_id in self._dropped:
                self._dropped.discard(prompt_id)
            else:
                self._prompts[prompt_id] = tokens

    def _refuse(
        self, command: PreparePrompt, code: str, message: str, param: str | None
    ) -> None:
        with self._prompts_lock:
            self._preparing -= 1
            self._dropped.discard(command.prompt_id)
        self._sender.send(
            PrepareRefused(
                prompt_id=command.prompt_id, code=code, message=message, param=param
            )
        )
