"""The grammar of a message's content: its parts as they are sent, and what they become."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Struct

from inference.core.requests import ContentPart, ImagePart, TextPart
from inference.protocol import faults
from inference.protocol.declared import Bound, ErrorWords, Lax

if TYPE_CHECKING:
    from collections.abc import Sequence

_URL_STARTS = ("data:image/", "https://", "http://")
_URL_START_CHARS = 16

Text = Annotated[str, Bound(max_length="text_chars")]
_Url = Annotated[str, Bound(max_length="url_chars")]
_Detail = Annotated[
    Literal["auto", "low", "high", "original"] | None,
    Lax(lambda value, _: value if value is None else str(value)),
]


class ImageBody(Struct):
    """Where an image is, and how closely to look."""

    url: _Url
    detail: _Detail = None


class ImagePartBody(Struct, tag_field="type", tag="image_url"):
    """An image; some clients send the URL alone."""

    image_url: Annotated[_Url | ImageBody, ErrorWords("an object")]


class InputImageBody(Struct, tag_field="type", tag="input_image"):
    """An image, by its name in the Responses API."""

    image_url: _Url
    detail: _Detail = None


class TextPartBody(Struct, tag_field="type", tag="text"):
    """Text."""

    text: Text


class InputTextBody(TextPartBody, tag="input_text"):
    """Text, by its name in the Responses API."""


class OutputTextBody(TextPartBody, tag="output_text", kw_only=True):
    """An answer's text, by its name in the Responses API."""

    annotations: Any = None
    logprobs: Any = None


class RefusalPartBody(Struct, tag_field="type", tag="refusal"):
    """What the assistant said instead of an answer."""

    refusal: Text


class FileBody(Struct, tag_field="type", tag="file"):
    """A file, which is not read here; so what it holds is listed as ignored."""


class InputFileBody(FileBody, tag="input_file"):
    """The same, by its name in the Responses API."""


class InputAudioBody(FileBody, tag="input_audio"):
    """Sound, which is not heard here."""


Parts = list[
    TextPartBody
    | InputTextBody
    | OutputTextBody
    | RefusalPartBody
    | ImagePartBody
    | InputImageBody
    | FileBody
    | InputFileBody
    | InputAudioBody
]


def to_parts(
    sent: Sequence[Struct], path: str, *, role: str
) -> tuple[ContentPart, ...]:
    """Return the parts; what is not read here stands as a few words.

    Raises:
        InvalidRequestError: the user's own message would lose it.
    """
    return tuple(_to_part(part, f"{path}[{i}]", role) for i, part in enumerate(sent))


def _to_part(part: Struct, path: str, role: str) -> ContentPart:
    if isinstance(part, TextPartBody):
        return TextPart(part.text)
    if isinstance(part, RefusalPartBody):
        return TextPart(part.refusal)
    if isinstance(part, InputImageBody):
        url = _checked(part.image_url, f"{path}.image_url")
        return ImagePart(url, part.detail or "auto")
    if isinstance(part, ImagePartBody):
        return _to_image(part, f"{path}.image_url")
    kind = part.__struct_config__.tag
    if role == "user":
        raise faults.unsupported(path, f"of type '{kind}' is not supported.")
    return TextPart(f"[{kind} left out: it cannot be read here]")


def _to_image(part: ImagePartBody, path: str) -> ImagePart:
    image = part.image_url
    if isinstance(image, str):
        return ImagePart(url=_checked(image, path))
    return ImagePart(_checked(image.url, f"{path}.url"), image.detail or "auto")


def _checked(url: str, path: str) -> str:
    if not url[:_URL_START_CHARS].lower().startswith(_URL_STARTS):
        raise faults.wrong_value(path, url, _URL_STARTS)
    return url
