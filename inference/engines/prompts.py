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
        self._preparing: set[int] = set()
        self._prompts_lock = threading.Lock()
        self._tokenizer_lock = threading.Lock()
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="prepare")

    @property
    def preparing(self) -> int:
        """Prompts that are being prepared now, or wait for it."""
        with self._prompts_lock:
            return len(self._preparing)

    def submit(self, command: PreparePrompt) -> None:
        """Prepare a prompt in the pool and report the result."""
        with self._prompts_lock:
            self._preparing.add(command.prompt_id)
        self._pool.submit(self._prepare, command)

    def take(self, prompt_id: int) -> list[int] | None:
        """Hand a prepared prompt over, once."""
        with self._prompts_lock:
            return self._prompts.pop(prompt_id, None)

    def drop(self, prompt_id: int) -> None:
        """Forget a prompt, also one whose preparation has not begun or runs."""
        with self._prompts_lock:
            self._preparing.discard(prompt_id)
            self._prompts.pop(prompt_id, None)

    def _is_wanted(self, prompt_id: int) -> bool:
        with self._prompts_lock:
            return prompt_id in self._preparing

    def _prepare(self, command: PreparePrompt) -> None:
        began = time.monotonic()
        try:
            with self._tokenizer_lock:
                # Nobody should wait behind what was given up meanwhile.
                if not self._is_wanted(command.prompt_id):
                    return
                tokens = self._tokens_of(command)
        except InferenceError as error:
            self._refuse(command, error.code, error.message, error.param)
        except BaseException as error:  # a panic in the tokenizer is no Exception
            logger.exception("A prompt could not be prepared")
            self._refuse(command, "internal_error", str(error), None)
        else:
            self._keep(command.prompt_id, tokens, time.monotonic() - began)

    def _tokens_of(self, command: PreparePrompt) -> list[int]:
        tokens = to_prompt_tokens(self._text.tokenizer, command.messages)
        if len(tokens) >= self._text.context_length:
            raise ContextLengthExceededError(
                f"This model's maximum context length is {self._text.context_length} "
                f"tokens; your messages are {len(tokens)} tokens, which leaves no "
                "room for an answer.",
                param="messages",
            )
        return tokens

    def _keep(self, prompt_id: int, tokens: list[int], prepare_s: float) -> None:
        with self._prompts_lock:
            if prompt_id not in self._preparing:
                return
            self._preparing.discard(prompt_id)
            self._prompts[prompt_id] = tokens
        self._sender.send(
            PromptPrepared(prompt_id=prompt_id, tokens=len(tokens), prepare_s=prepare_s)
        )

    def _refuse(
        self, command: PreparePrompt, code: str, message: str, param: str | None
    ) -> None:
        with self._prompts_lock:
            self._preparing.discard(command.prompt_id)
        self._sender.send(
            PrepareRefused(
                prompt_id=command.prompt_id, code=code, message=message, param=param
            )
        )
