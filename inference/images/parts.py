"""Where the images of a conversation stand, and how an error names the place."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from inference.core.errors import VisionNotSupportedError
from inference.core.requests import ImagePart

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from inference.core.errors import InvalidRequestError
    from inference.core.requests import ChatMessage

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


def refuse_images(messages: tuple[ChatMessage, ...]) -> None:
    """Refuse what a model that reads text only cannot read.

    Raises:
        VisionNotSupportedError: there is an image; names the first.
    """
    for path, _ in image_parts(messages):
        raise VisionNotSupportedError(
            "Vision requests are not supported with text-only models", param=path
        )
