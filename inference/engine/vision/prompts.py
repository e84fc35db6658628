"""Prompts with images: decoded, put in their places, tokenized; off the MLX thread.

On its way through the rendering of text, an image is a mark that no user can know.
A stand-in for the tokenizer turns marks into what the model's template takes, and
has the model's processor write the image tokens.
"""

from __future__ import annotations

import re
import secrets
import weakref
from dataclasses import replace
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import msgspec

from inference.core.errors import InvalidRequestError, TooManyImagesError
from inference.core.requests import ImagePart, TextPart
from inference.engine.vision.pictures import (
    PixelBudget,
    key_of,
    opened,
    peak_for,
    sides_for,
)
from inference.engine.vision.processor import DecodedImage
from inference.images.parts import at, image_parts, shown_by_users
from inference.prompting.rendering import text_of
from inference.prompting.templates import render

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference.core.images import ImageData
    from inference.core.requests import ChatMessage, ChatPrompt
    from inference.engine.text.formats import ModelFormats
    from inference.engine.vision.encoding import PromptPictures
    from inference.engine.vision.markers import Markers
    from inference.engine.vision.processor import ImageProcessor
    from inference.engine.vision.style import ImageStyle
    from inference.prompting.templates import PromptEncoder, RenderedPrompt

# Where the images of a turn go: as they were sent, or together before or after its
# text, or nowhere, for processors that place them themselves.
BEFORE, AFTER, NOWHERE = "before", "after", "none"
PLACEMENTS = ("", BEFORE, AFTER, NOWHERE)
_MISMATCH = "image_mismatch"
_MOVED = "images of tools: shown in the user's next turn, as the template has it"
_NONCE = secrets.token_hex(8)
_MARK = re.compile(f"\ue0f0{_NONCE}:(\\d+)\ue0f1")


class ImagePrompts:
    """Prepares prompts for a vision model. Any thread may ask."""

    def __init__(
        self,
        tokenizer: Any,
        processor: ImageProcessor,
        *,
        style: ImageStyle,
        markers: Markers,
        placement: str = "",
        budget: PixelBudget | None = None,
    ) -> None:
        self._tokenizer = tokenizer
        self._processor = processor
        self._style = style
        self._markers = markers
        self._placement = placement
        self._budget = budget or PixelBudget()

    def defused(self, prompt: ChatPrompt) -> ChatPrompt:
        """Return a prompt whose texts hold nothing that could become an image."""
        return self._markers.defused_prompt(prompt)

    def render(
        self,
        prompt: ChatPrompt,
        data: tuple[ImageData, ...],
        formats: ModelFormats,
        *,
        encoder: PromptEncoder,
        is_wanted: Callable[[], bool] = lambda: True,
    ) -> tuple[RenderedPrompt, PromptPictures] | None:
        """Render a conversation with images, whose texts are defused.

        Returns `None` where `is_wanted` says that nobody waits for it any more.

        Raises:
            InvalidRequestError: an image cannot be read, there are more than the
                model takes, or its template has no place for one; names the part.
        """
        paths = [path for path, _ in image_parts(prompt.messages)]
        self._refuse_many(paths)
        sides = sides_for(data)
        count = peak_for(data, sides)
        if not (is_wanted() and self._budget.take(count, is_wanted=is_wanted)):
            return None
        try:
            images = self._opened(data, sides, paths, is_wanted)
            if len(images) < len(paths):
                self._budget.give(count)
                return None
            rendered, pictures = self._placed(prompt, formats, images, encoder)
        except BaseException:
            self._budget.give(count)
            raise
        # Once it was encoded, or given up, nobody holds it any more.
        weakref.finalize(pictures, self._budget.give, count)
        return rendered, pictures

    @staticmethod
    def _opened(
        images: tuple[ImageData, ...],
        sides: list[int],
        paths: list[str],
        is_wanted: Callable[[], bool],
    ) -> list[DecodedImage]:
        """Decode images, as long as somebody waits for them."""
        pictures = takewhile(lambda _: is_wanted(), opened(images, sides, paths))
        return [
            DecodedImage(picture, path, key_of(image, side))
            for picture, path, image, side in zip(
                pictures, paths, images, sides, strict=False
            )
        ]

    def _placed(
        self,
        prompt: ChatPrompt,
        formats: ModelFormats,
        images: list[DecodedImage],
        encoder: PromptEncoder,
    ) -> tuple[RenderedPrompt, PromptPictures]:
        """Render; a template without places where tools show has users show it."""
        try:
            return self._rendered(prompt, formats, images, encoder)
        except InvalidRequestError as error:
            messages = shown_by_users(prompt.messages)
            if error.code != _MISMATCH or messages == prompt.messages:
                raise
        prompt = msgspec.structs.replace(prompt, messages=messages)
        rendered, pictures = self._rendered(prompt, formats, images, encoder)
        warnings = (*rendered.warnings, _MOVED)
        return replace(rendered, warnings=warnings), pictures

    def _rendered(
        self,
        prompt: ChatPrompt,
        formats: ModelFormats,
        images: list[DecodedImage],
        encoder: PromptEncoder,
    ) -> tuple[RenderedPrompt, PromptPictures]:
        page = _VisionPage(
            self._tokenizer, self._processor, self._style, images, encoder
        )
        page.places = 0 if self._placement == NOWHERE else len(images)
        rendered = render(
            page,
            msgspec.structs.replace(prompt, messages=self._marked(prompt.messages)),
            formats.traits,
            think_start=formats.think_start,
            system_prompt=formats.system_prompt,
        )
        assert page.pictures is not None
        return rendered, page.pictures

    def _refuse_many(self, paths: list[str]) -> None:
        most = self._processor.images_most
        if not most or len(paths) <= most:
            return
        images = "one image" if most == 1 else f"{most} images"
        refusal = TooManyImagesError(
            f"this model takes {images} in a conversation, not {len(paths)}."
        )
        raise at(paths[most], refusal)

    def _marked(self, messages: tuple[ChatMessage, ...]) -> tuple[ChatMessage, ...]:
        """Return messages of text only, with marks for images."""
        marked, number = [], 0
        for message in messages:
            marks = []
            pieces = []
            for part in message.content:
                if isinstance(part, ImagePart):
                    number += 1
                    marks.append(f"\ue0f0{_NONCE}:{number}\ue0f1")
                    pieces.append("" if self._placement else marks[-1])
                else:
                    pieces.append(part.text)
            # What is now side by side may be a marker.
            text = self._markers.defused("".join(pieces))
            together = "".join(marks)
            text = {BEFORE: together + text, AFTER: text + together}.get(
                self._placement, text
            )
            content = (TextPart(text),) if message.content else ()
            marked.append(msgspec.structs.replace(message, content=content))
        return tuple(marked)


class _VisionPage:
    """Stands in for the tokenizer while one prompt is rendered.

    `reads_whole`: the processor tokenizes a prompt in one piece.
    """

    reads_whole = True

    def __init__(
        self,
        tokenizer: Any,
        processor: ImageProcessor,
        style: ImageStyle,
        images: list[DecodedImage],
        encoder: PromptEncoder,
    ) -> None:
        self.has_chat_template: bool = tokenizer.has_chat_template
        self.places = len(images)
        self.pictures: PromptPictures | None = None
        self._tokenizer = tokenizer
        self._processor = processor
        self._style = style
        self._images = images
        self._encoder = encoder

    def apply_chat_template(self, messages: Any, **options: Any) -> Any:
        """Render turns whose texts hold marks."""
        turns = [self._seen(turn) for turn in messages]
        is_open = not options.pop("add_generation_prompt", False)
        options.pop("tokenize", None)
        return text_of(self._tokenizer, turns, is_open=is_open, **options)

    def encode(self, text: str, **options: Any) -> list[int]:
        """Return the tokens of a rendered prompt, those of its images among them."""
        if not self.has_chat_template:
            text = "".join(
                piece if isinstance(piece, str) else self._style.token.format(piece)
                for piece in _pieces(text)
            )
        found = self._style.count(text)
        if found != self.places:
            raise InvalidRequestError(
                f"The model's chat template has places for {found} of the "
                f"{self.places} image(s).",
                param=self._images[0].path,
                code=_MISMATCH,
            )
        self._encoder.admit(text)
        # What cannot be encoded within bounds ends there, and not in the processor.
        self._encoder.encode(text)
        self.pictures = self._processor.read(text, self._images)
        return self.pictures.tokens

    def decode(self, tokens: list[int]) -> str:
        """Return the text of tokens."""
        text: str = self._tokenizer.decode(tokens)
        return text

    def _seen(self, turn: dict[str, Any]) -> dict[str, Any]:
        """Return a turn with its marks as the model's template takes images."""
        content = turn.get("content")
        texts = [content] if isinstance(content, str) else _texts(content)
        if not any(_MARK.search(text) for text in texts):
            return turn
        pieces = [piece for text in texts for piece in _pieces(text)]
        return {**turn, "content": self._style.content(pieces)}


def _texts(content: Any) -> list[str]:
    parts = content if isinstance(content, list) else []
    return [part["text"] for part in parts if isinstance(part.get("text"), str)]


def _pieces(text: str) -> list[str | int]:
    """Return a text's pieces, and the numbers of the images between them."""
    pieces: list[str | int] = []
    for at_, piece in enumerate(_MARK.split(text)):
        if at_ % 2:
            pieces.append(int(piece))
        elif piece:
            pieces.append(piece)
    return pieces
