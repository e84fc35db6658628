"""A conversation that is too long: as much of its newest part as the context holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from inference.core.errors import ContextLengthExceededError, InvalidRequestError
from inference.core.requests import ChatPrompt

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from inference.core.frames import PromptPrepared
    from inference.core.images import ImageData
    from inference.core.requests import Prompt

    Images = tuple[ImageData, ...]
    Prepare = Callable[[Prompt, Images], Awaitable[PromptPrepared]]

_INSTRUCTING = ("system", "developer")


class NewestPart:
    """Prepares a prompt whole, or else the newest part of it that fits.

    Instructions at the beginning stay, and so does the last turn; no result loses its
    call. `drop` lets go of what turned out to be too short, by its id; `warn` hears how
    much is left out.
    """

    def __init__(
        self,
        prepare: Prepare,
        drop: Callable[[int], None],
        warn: Callable[[str], None],
    ) -> None:
        self._prepare = prepare
        self._drop = drop
        self._warn = warn

    async def __call__(self, prompt: Prompt, images: Images) -> PromptPrepared:
        """Return what was prepared.

        Raises:
            InvalidRequestError: not even the last turn fits, or something else.
        """
        try:
            return await self._prepare(prompt, images)
        except InvalidRequestError as refusal:
            if not (_is_too_long(refusal) and isinstance(prompt, ChatPrompt)):
                raise
            return await self._newest(prompt, images, refusal)

    async def _newest(
        self, chat: ChatPrompt, images: Images, refusal: InvalidRequestError
    ) -> PromptPrepared:
        """Find by halves where the longest part begins that fits."""
        head, starts = _places(chat)
        best: PromptPrepared | None = None
        low, high = 0, len(starts)
        while low < high:
            middle = (low + high) // 2
            shorter = _without(chat, images, head, starts[middle])
            try:
                prepared = await self._prepare(*shorter)
            except InvalidRequestError as error:
                if not _is_too_long(error):
                    raise
                low, refusal = middle + 1, error
                continue
            if best is not None:
                self._drop(best.prompt_id)
            best, high = prepared, middle
        if best is None:
            raise refusal
        left_out = starts[high] - head
        self._warn(f"truncation: the {left_out} oldest messages were left out")
        return best


def _is_too_long(error: InvalidRequestError) -> bool:
    # What a worker refuses has its code, not its class.
    return error.code == ContextLengthExceededError.code


def _places(chat: ChatPrompt) -> tuple[int, list[int]]:
    """Return how many messages instruct, and where the rest may begin instead."""
    messages = chat.messages
    head = next(
        (at for at, each in enumerate(messages) if each.role not in _INSTRUCTING),
        len(messages),
    )
    return head, [
        at for at in range(head + 1, len(messages)) if messages[at].role != "tool"
    ]


def _without(
    chat: ChatPrompt, images: Images, head: int, start: int
) -> tuple[ChatPrompt, Images]:
    """Leave out the messages from `head` to `start`, with the images in them."""
    messages = chat.messages
    kept = messages[:head] + messages[start:]
    before, gone = _images_in(chat, 0, head), _images_in(chat, head, start)
    shorter = msgspec.structs.replace(chat, messages=kept)
    return shorter, images[:before] + images[before + gone :]


def _images_in(chat: ChatPrompt, first: int, end: int) -> int:
    return msgspec.structs.replace(chat, messages=chat.messages[first:end]).image_count
