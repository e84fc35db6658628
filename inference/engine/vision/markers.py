"""The texts that become image tokens: none may come from a user.

A marker in a user's text gets a blank inside. It reads nearly the same, and stands
for no image.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import msgspec

from inference.core.requests import ChatPrompt, ImagePart, TextPart

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inference.core.requests import ChatMessage

# What tokenizers call tokens that have to do with images, video or sound. Those
# that name places in a picture (boxes, points) are for users to write.
_SPEAKS_OF_MEDIA = re.compile(
    r"image|img|im_patch|vision|visual|video|audio|media|frame|fake_token|global"
    r"|row_\d+_col|boi|eoi|tile",
    re.IGNORECASE,
)
_TOKEN_NAME = re.compile(r"^(image|img|video|audio|vision|boi|eoi|fake).*token$")
_NUMBERED = r"<\|(?:image|video|audio)_\d+\|>"
# Texts that processors look for although no tokenizer knows them; where a template
# writes one of them, all may be meant.
_WRITTEN = ("<image>", "<video>", "<audio>")
_PASSES_MOST = 8


@dataclass(frozen=True, slots=True)
class Markers:
    """All texts that would become image tokens of one model."""

    pattern: re.Pattern[str]

    @classmethod
    def of(cls, texts: Iterable[str]) -> Markers:
        """Return what knows these, and those that go with them."""
        known = {text for text in texts if len(text) > 1}
        if any(written in text for text in known for written in _WRITTEN):
            known.update(_WRITTEN)
        longest_first = sorted(known, key=lambda text: (-len(text), text))
        parts = [re.escape(text) for text in longest_first]
        return cls(re.compile("|".join([*parts, _NUMBERED])))

    def defused(self, text: str) -> str:
        """Return the text with a blank in each marker, behind its first character."""
        for _ in range(_PASSES_MOST):
            text, found = self.pattern.subn(_with_blank, text)
            if not found:
                break
        return text

    def defused_prompt(self, prompt: ChatPrompt) -> ChatPrompt:
        """Return a prompt none of whose texts holds a marker.

        Texts that stand side by side are looked at together, where they become one.
        Images are left as they are.
        """
        joined = tuple(_joined(message) for message in prompt.messages)
        prompt = msgspec.structs.replace(prompt, messages=joined)
        changed = {
            name: msgspec.convert(
                self._walked(msgspec.to_builtins(getattr(prompt, name))), kind
            )
            for name, kind in _SHOWN.items()
        }
        return msgspec.structs.replace(prompt, **changed)

    def _walked(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.defused(value)
        if isinstance(value, dict):
            return {self._walked(k): self._walked(v) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return [self._walked(one) for one in value]
        return value


def marker_texts(processor: Any, tokenizer: Any, token_ids: Iterable[int]) -> set[str]:
    """Return the markers that a processor and its tokenizer name."""
    found = {
        token
        for token in tokenizer.get_added_vocab()
        if _SPEAKS_OF_MEDIA.search(str(token))
    }
    for owner in (processor, tokenizer):
        for name in dir(owner):
            if _TOKEN_NAME.match(name):
                found.add(getattr(owner, name, None))
    found.update(tokenizer.convert_ids_to_tokens(token) for token in token_ids)
    return {str(text) for text in found if text}


def _joined(message: ChatMessage) -> ChatMessage:
    """Return a message whose texts stand in the first of those side by side.

    The others are left empty, so that every part keeps its place.
    """
    parts: list[TextPart | ImagePart] = []
    for is_image, alike in groupby(message.content, lambda p: isinstance(p, ImagePart)):
        group = list(alike)
        if not is_image:
            text = "".join(part.text for part in group if isinstance(part, TextPart))
            group = [TextPart(text), *(TextPart("") for _ in group[1:])]
        parts += group
    return msgspec.structs.replace(message, content=tuple(parts))


def _with_blank(match: re.Match[str]) -> str:
    marker = match.group()
    return f"{marker[0]} {marker[1:]}"


_SHOWN = {
    field.name: field.type
    for field in msgspec.structs.fields(ChatPrompt)
    if field.name in ("messages", "tools", "template_kwargs")
}
