"""How a model's conversations name an image: found out at load, by trying it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from inference.prompting.rendering import text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

# What users say in trials.
PROBE_WORD = "kestrel"


class StyleError(ValueError):
    """The chat template has no place for images."""


@dataclass(frozen=True, slots=True)
class ImageStyle:
    """What a template is given for an image, and what comes of it.

    `part` stands in a list of parts; where it is `None`, `token` stands in the text,
    with the image's number in place of `{}`. `example` then stands in the prompt of
    a single image.
    """

    part: dict[str, Any] | None
    token: str
    example: str = ""

    def content(self, pieces: list[str | int]) -> Any:
        """Return a turn's content: its texts, and the numbers of images from 1."""
        if self.part is None:
            return "".join(
                piece if isinstance(piece, str) else self.token.format(piece)
                for piece in pieces
            )
        return [
            {"type": "text", "text": piece, "content": piece}
            if isinstance(piece, str)
            else self.part
            for piece in pieces
        ]

    def prompt(self, tokenizer: Any, pieces: list[str | int]) -> str:
        """Return the prompt of a conversation with one turn of the user's."""
        content = self.content(pieces)
        if not tokenizer.has_chat_template:
            return str(content)
        return text_of(tokenizer, [{"role": "user", "content": content}])

    def count(self, prompt: str) -> int:
        """Return how many images the prompt has places for."""
        marker = re.sub(r"\d+", lambda _: r"\d+", re.escape(self.example))
        return len(re.findall(marker, prompt))


def style_of(tokenizer: Any, processor: Any, library_turn: Any) -> ImageStyle:
    """Return the first way that the template takes.

    `library_turn` is a user's turn of an image and the word "kestrel", as mlx-vlm
    would give it for this architecture, or `None`.

    Raises:
        StyleError: an image leaves no trace in the prompt.
    """
    token = _token_of(processor, tokenizer)
    if not tokenizer.has_chat_template:
        return ImageStyle(None, _escaped(token), token)
    for style in _candidates(library_turn, token):
        example = _example(tokenizer, style)
        if example:
            return replace(style, example=example)
    raise StyleError("The model's chat template has no place for images.")


def _candidates(library_turn: Any, token: str) -> Iterator[ImageStyle]:
    content = library_turn.get("content") if isinstance(library_turn, dict) else None
    if isinstance(content, str):
        written = _escaped(content.replace(PROBE_WORD, "")).replace(
            "image_1", "image_{}"
        )
        if written:
            yield ImageStyle(None, written)
    elif isinstance(content, list):
        parts = [part for part in content if "image" in str(part.get("type"))]
        yield from (ImageStyle(part, "") for part in parts[:1])
    yield ImageStyle({"type": "image"}, "")
    if token:
        yield ImageStyle(None, _escaped(token))


def _example(tokenizer: Any, style: ImageStyle) -> str:
    """Return what an image adds to the prompt; empty: nothing, or it is refused."""
    try:
        without = style.prompt(tokenizer, [PROBE_WORD])
        prompt = style.prompt(tokenizer, [1, PROBE_WORD])
    except Exception:  # noqa: BLE001 -- templates raise whatever they like
        return ""
    if PROBE_WORD not in without or "'type'" in prompt or len(prompt) <= len(without):
        return ""
    start = next(
        (at for at, (a, b) in enumerate(zip(prompt, without, strict=False)) if a != b),
        len(without),
    )
    added = prompt[start : start + len(prompt) - len(without)]
    if without[:start] + added + without[start:] != prompt:
        return ""
    return added.strip()


def _token_of(processor: Any, tokenizer: Any) -> str:
    for owner in (processor, tokenizer):
        token = getattr(owner, "image_token", None)
        if isinstance(token, str) and token:
            return token
    return "<image>"


def _escaped(token: str) -> str:
    return token.replace("{", "{{").replace("}", "}}")
