"""The prepare pool: messages to tokens, away from the MLX thread.

Fast tokenizers must not be used by two threads at once, so one lock guards
them; the pool exists so that the reader thread never waits for a long prompt.
"""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from inference.core.errors import (
    ContextLengthExceededError,
    InferenceError,
    InvalidRequestError,
)
from inference.core.frames import PreparePrompt, PrepareRefused, PromptPrepared
from inference.engines.host_memory import give_back
from inference.engines.plans import prepare_answer
from inference.prompting.templates import render

if TYPE_CHECKING:
    from inference.engines.plans import PreparedPrompt
    from inference.engines.sender import Sender
    from inference.engines.text import TextModel
    from inference.engines.vision_encoding import PromptPictures
    from inference.prompting.templates import RenderedPrompt

logger = logging.getLogger(__name__)
THREADS = 2


class PromptDesk:
    """Owns the prompts that were prepared and not yet generated from."""

    def __init__(self, text: TextModel, sender: Sender) -> None:
        self._text = text
        self._sender = sender
        self._prompts: dict[int, PreparedPrompt] = {}
        self._preparing: set[int] = set()
        self._prompts_lock = threading.Lock()
        self._tokenizer_lock = threading.Lock()
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="prepare")
        # Images take longer than texts, and may have to wait for memory.
        self._image_pool = ThreadPoolExecutor(THREADS, thread_name_prefix="images")

    @property
    def preparing(self) -> int:
        """Prompts that are being prepared now, or wait for it."""
        with self._prompts_lock:
            return len(self._preparing)

    def submit(self, command: PreparePrompt) -> None:
        """Prepare a prompt in the pool and report the result."""
        with self._prompts_lock:
            self._preparing.add(command.prompt_id)
        pool = self._image_pool if _has_images(command) else self._pool
        pool.submit(self._prepare, command)

    def take(self, prompt_id: int) -> PreparedPrompt | None:
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
            found = self._rendered(command)
            if found is None:
                return
            rendered, pictures = found
            self._refuse_long(len(rendered.tokens))
            prompt = prepare_answer(
                command, rendered, self._text.formats, self._text.words
            )
        except InferenceError as error:
            self._refuse(command, error)
        except BaseException as error:  # noqa: BLE001 -- also the tokenizer's panic
            self._refuse(command, _told(error))
        else:
            prepare_s = time.monotonic() - began
            prompt = replace(prompt, pictures=pictures)
            self._keep(command.prompt_id, prompt, rendered, prepare_s)

    def _rendered(
        self, command: PreparePrompt
    ) -> tuple[RenderedPrompt, PromptPictures | None] | None:
        """Return what `command` asks for; `None`: nobody waits for it any more."""
        sight = self._text.sight
        if sight is not None:
            command = sight.prompts.defused(command)
            if _has_images(command):
                found = sight.prompts.render(
                    command,
                    self._text.formats,
                    tokenizer_lock=self._tokenizer_lock,
                    is_wanted=lambda: self._is_wanted(command.prompt_id),
                )
                # All rasters are gone; what held them counts as the model's memory.
                give_back()
                return found
        with self._tokenizer_lock:
            # Nobody should wait behind what was given up meanwhile.
            if not self._is_wanted(command.prompt_id):
                return None
            formats = self._text.formats
            rendered = render(
                self._text.tokenizer,
                command,
                formats.traits,
                think_start=formats.think_start,
                system_prompt=formats.system_prompt,
            )
        return rendered, None

    def _refuse_long(self, tokens: int) -> None:
        if tokens >= self._text.context_length:
            raise ContextLengthExceededError(
                f"This model's maximum context length is {self._text.context_length} "
                f"tokens; your messages are {tokens} tokens, which leaves no "
                "room for an answer.",
                param="messages",
                figures={
                    "prompt_tokens": tokens,
                    "context_length": self._text.context_length,
                },
            )

    def _keep(
        self,
        prompt_id: int,
        prompt: PreparedPrompt,
        rendered: RenderedPrompt,
        prepare_s: float,
    ) -> None:
        pictures = prompt.pictures
        with self._prompts_lock:
            if prompt_id not in self._preparing:
                return
            self._preparing.discard(prompt_id)
            self._prompts[prompt_id] = prompt
        self._sender.send(
            PromptPrepared(
                prompt_id=prompt_id,
                tokens=len(prompt.tokens),
                prepare_s=prepare_s,
                warnings=(*rendered.warnings, *prompt.warnings),
                image_tokens=0 if pictures is None else len(pictures.columns),
                ignored=rendered.ignored,
            )
        )

    def _refuse(self, command: PreparePrompt, error: InferenceError) -> None:
        with self._prompts_lock:
            self._preparing.discard(command.prompt_id)
        self._sender.send(
            PrepareRefused(
                prompt_id=command.prompt_id,
                code=error.code,
                message=error.message,
                param=error.param,
                figures=dict(error.figures),
            )
        )


def _has_images(command: PreparePrompt) -> bool:
    return any(message.has_images for message in command.messages)


def _told(error: BaseException) -> InferenceError:
    """Return what a client reads of a failure.

    A tokenizer that gives up panics: its pattern cannot follow megabytes of blanks.
    """
    if type(error).__name__ == "PanicException":
        return InvalidRequestError(
            "The text of the messages cannot be cut into tokens: the model's tokenizer "
            f"gave up on it ({error}).",
            param="messages",
            code="text_not_readable",
        )
    logger.error("A prompt could not be prepared", exc_info=error)
    return InferenceError(str(error))
