"""The prepare pools: messages to tokens, away from the MLX thread.

They exist so that the reader thread never waits for a prompt, and no short prompt
for a long one.
"""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from inference.core.errors import InferenceError
from inference.core.frames import PreparePrompt, PrepareRefused, PromptPrepared
from inference.core.requests import ChatPrompt, SpelledPrompt, TextPrompt, TokenPrompt
from inference.engine.answers.plans import prepare_answer
from inference.engine.hardware.host_memory import give_back
from inference.engine.text.encoder_process import unreadable
from inference.engine.text.encoding import (
    LONG_CHARS,
    ModelEncoder,
    names_of,
    too_long,
)
from inference.prompting.bare import read_text, read_tokens
from inference.prompting.encoder import gave_up
from inference.prompting.templates import render

if TYPE_CHECKING:
    from inference.core.requests import Prompt
    from inference.engine.answers.plans import PreparedPrompt
    from inference.engine.answers.sender import Sender
    from inference.engine.loading.text_model import TextModel
    from inference.engine.vision.encoding import PromptPictures
    from inference.prompting.templates import RenderedPrompt

logger = logging.getLogger(__name__)
THREADS = 2


class PromptPreparer:
    """Owns the prompts that were prepared and not yet generated from."""

    def __init__(self, text: TextModel, sender: Sender) -> None:
        self._text = text
        self._sender = sender
        self._prompts: dict[int, PreparedPrompt] = {}
        self._preparing: set[int] = set()
        self._prompts_lock = threading.Lock()
        self._encoder = ModelEncoder(text.tokenizer, context_length=text.context_length)
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="prepare")
        self._long_pool = ThreadPoolExecutor(THREADS, thread_name_prefix="long")
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
        self._pool_for(command).submit(self._prepare, command)

    def take(self, prompt_id: int) -> PreparedPrompt | None:
        """Hand a prepared prompt over, once."""
        with self._prompts_lock:
            return self._prompts.pop(prompt_id, None)

    def drop(self, prompt_id: int) -> None:
        """Forget a prompt, also one whose preparation has not begun or runs."""
        with self._prompts_lock:
            self._preparing.discard(prompt_id)
            self._prompts.pop(prompt_id, None)

    def _pool_for(self, command: PreparePrompt) -> ThreadPoolExecutor:
        if command.images:
            return self._image_pool
        is_long = _chars_of(command.prompt) > LONG_CHARS
        return self._long_pool if is_long else self._pool

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
            self._keep(command, prompt, rendered, prepare_s)

    def _rendered(
        self, command: PreparePrompt
    ) -> tuple[RenderedPrompt, PromptPictures | None] | None:
        """Return what `command` asks for; `None`: nobody waits for it any more."""
        # Nobody should wait behind what was given up meanwhile.
        if not self._is_wanted(command.prompt_id):
            return None
        prompt, vision = command.prompt, self._text.vision
        if vision is not None and isinstance(prompt, ChatPrompt):
            prompt = vision.prompts.defused(prompt)
            if command.images:
                found = vision.prompts.render(
                    prompt,
                    command.images,
                    self._text.formats,
                    encoder=self._encoder,
                    is_wanted=lambda: self._is_wanted(command.prompt_id),
                )
                # All rasters are gone; what held them counts as the model's memory.
                give_back()
                return found
        return self._read(prompt), None

    def _read(self, prompt: Prompt) -> RenderedPrompt:
        text, formats = self._text, self._text.formats
        match prompt:
            case ChatPrompt():
                return render(
                    text.tokenizer,
                    prompt,
                    formats.traits,
                    think_start=formats.think_start,
                    system_prompt=formats.system_prompt,
                    encoder=self._encoder,
                )
            case TextPrompt():
                return read_text(self._encoder, text.tokenizer, prompt)
            case TokenPrompt():
                return read_tokens(
                    text.tokenizer, prompt.tokens, vocabulary=text.vocabulary
                )

    def _refuse_long(self, tokens: int) -> None:
        if tokens >= self._text.context_length:
            raise too_long(tokens, self._text.context_length)

    def _keep(
        self,
        command: PreparePrompt,
        prompt: PreparedPrompt,
        rendered: RenderedPrompt,
        prepare_s: float,
    ) -> None:
        prompt_id, pictures = command.prompt_id, prompt.pictures
        came_as_tokens = isinstance(command.prompt, TokenPrompt)
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
                text=rendered.text if came_as_tokens else "",
                spelled=self._spelled(rendered) if command.spells else None,
            )
        )

    def _spelled(self, rendered: RenderedPrompt) -> SpelledPrompt:
        return SpelledPrompt(
            text=rendered.text,
            tokens=msgspec.json.encode(rendered.tokens),
            names=msgspec.json.encode(names_of(self._text.tokenizer, rendered.tokens)),
            context_length=self._text.context_length,
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


def _chars_of(prompt: Prompt) -> int:
    """Return about how many characters have to be encoded."""
    match prompt:
        case ChatPrompt():
            return sum(
                len(message.text)
                + len(message.reasoning)
                + sum(len(call.arguments) for call in message.tool_calls)
                for message in prompt.messages
            )
        case TextPrompt():
            return len(prompt.text)
        case TokenPrompt():
            return 0


def _told(error: BaseException) -> InferenceError:
    """Return what a client reads of a failure."""
    if gave_up(error):
        return unreadable(f"the model's tokenizer gave up on it ({error})")
    logger.error("A prompt could not be prepared", exc_info=error)
    why = str(error) or type(error).__name__
    return InferenceError(f"The prompt could not be prepared: {why}")
