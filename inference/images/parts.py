"""Where the images of a conversation stand, and how an error names the place."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from inference.core.errors import VisionNotSupportedError
from inference.core.requests import ChatMessage, ImagePart, TextPart

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from inference.core.errors import InvalidRequestError
    from inference.core.requests import ContentPart

PLACEHOLDER = "[image left out: this model cannot see]"

Refusal = TypeVar("Refusal", bound="InvalidRequestError")


def image_parts(messages: Iterable[ChatMessage]) -> Iterator[tuple[str, ImagePart]]:
    """Yield each image with its path (`messages[1].content[2]`), in their order."""
    for i, message in enumerate(messages):
        for j, part in enumerate(message.content):
            if isinstance(part, ImagePart):
                yield part.path or f"messages[{i}].content[{j}]", part


def without_urls(messages: Iterable[ChatMessage]) -> tuple[ChatMessage, ...]:
    """Return the messages with the URLs of their images left out."""
    return tuple(
        msgspec.structs.replace(
            message,
            content=tuple(
                msgspec.structs.replace(part, url="")
                if isinstance(part, ImagePart)
                else part
                for part in message.content
            ),
        )
        if message.has_images
        else message
        for message in messages
    )


def at(path: str, refusal: Refusal) -> Refusal:
    """Return the refusal of the image at `path`; its message was half a sentence."""
    return type(refusal)(
        f"Invalid '{path}': {refusal.message}", param=path, code=refusal.code
    )


def replace_pictures_of_tools(
    messages: tuple[ChatMessage, ...],
) -> tuple[tuple[ChatMessage, ...], list[str]]:
    """Return messages with words for the images that no user sent, and their paths.

    They are for a model that reads text only: an agent that takes screenshots goes on.
    """
    told = {m for m, message in enumerate(messages) if message.role != "user"}
    replaced = tuple(
        msgspec.structs.replace(message, content=_in_words(message))
        if m in told and message.has_images
        else message
        for m, message in enumerate(messages)
    )
    kept = {path for path, _ in image_parts(replaced)}
    return replaced, [path for path, _ in image_parts(messages) if path not in kept]


def shown_by_users(messages: tuple[ChatMessage, ...]) -> tuple[ChatMessage, ...]:
    """Return messages in which users show the images of others, in the turn after.

    They are for templates that have places for images in a user's turn only; the
    order of images stays.
    """
    turns: list[ChatMessage] = []
    waiting: list[ContentPart] = []
    for message in messages:
        if waiting and message.role == "user":
            content = (*waiting, *message.content)
            turns.append(msgspec.structs.replace(message, content=content))
            waiting = []
            continue
        if waiting and message.role != "tool":
            turns.append(ChatMessage("user", tuple(waiting)))
            waiting = []
        if message.role != "user" and message.has_images:
            parts = message.content
            waiting += [part for part in parts if isinstance(part, ImagePart)]
            rest = tuple(part for part in parts if isinstance(part, TextPart))
            message = msgspec.structs.replace(message, content=rest or (TextPart(""),))
        turns.append(message)
    return (*turns, ChatMessage("user", tuple(waiting))) if waiting else tuple(turns)


def _in_words(message: ChatMessage) -> tuple[ContentPart, ...]:
    return tuple(
        TextPart(PLACEHOLDER) if isinstance(part, ImagePart) else part
        for part in message.content
    )


def refuse_images(messages: tuple[ChatMessage, ...]) -> None:
    """Refuse what a model that reads text only cannot read.

    Raises:
        VisionNotSupportedError: there is an image; names the first.
    """
    for path, _ in image_parts(messages):
        raise VisionNotSupportedError(
            "Vision requests are not supported with text-only models", param=path
        )
