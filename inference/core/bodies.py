"""What was asked and answered, as JSON values: gathered only where it is kept.

Images stand by their hash and size; texts are cut to a bound.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from inference.core.frames import joined_calls
from inference.core.requests import (
    ChatPrompt,
    ImagePart,
    TextPart,
    TextPrompt,
    TokenPrompt,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from inference.core.images import ImageData
    from inference.core.requests import ChatMessage, Delta, Prompt, ToolCallDelta

BODY_TEXT_CHARS = 256 * 1024
_CUT = " [cut]"


@dataclass(slots=True)
class _Choice:
    """One choice's answer in its pieces."""

    texts: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    calls: list[ToolCallDelta] = field(default_factory=list)
    characters: int = 0


@dataclass(slots=True)
class BodyKeeper:
    """Owns what one request asked and was answered until it ends."""

    prompts: tuple[Prompt, ...] = ()
    images: tuple[dict[str, Any], ...] = ()
    _choices: defaultdict[int, _Choice] = field(
        default_factory=lambda: defaultdict(_Choice)
    )

    def saw_images(self, images: Sequence[ImageData]) -> None:
        """Note the images of the messages, in their order."""
        self.images = tuple(
            {"sha256": image.sha256, "bytes": len(image.data)} for image in images
        )

    def add(self, delta: Delta) -> None:
        """Add a piece of the answer, up to the bound."""
        choice = self._choices[delta.index]
        if choice.characters > BODY_TEXT_CHARS:
            return
        choice.texts.append(delta.text)
        choice.reasoning.append(delta.reasoning)
        choice.calls += delta.tool_calls
        choice.characters += len(delta.text) + len(delta.reasoning)
        choice.characters += sum(len(call.arguments) for call in delta.tool_calls)

    def prompt(self) -> dict[str, Any]:
        """Return the messages and the tools there were, or the bare prompts."""
        first = self.prompts[0]
        if not isinstance(first, ChatPrompt):
            return {"prompts": [_bare(prompt) for prompt in self.prompts]}
        images = iter(self.images)
        prompt: dict[str, Any] = {
            "messages": [_to_json(message, images) for message in first.messages]
        }
        if first.tools is not None:
            prompt["tools"] = msgspec.to_builtins(first.tools.tools)
        return prompt

    def answer(self) -> list[dict[str, Any]] | None:
        """Return the choices, or `None` where nothing was answered."""
        return [
            _answer_of(index, choice) for index, choice in sorted(self._choices.items())
        ] or None


def _answer_of(index: int, choice: _Choice) -> dict[str, Any]:
    answer: dict[str, Any] = {"index": index, "content": _cut("".join(choice.texts))}
    if any(choice.reasoning):
        answer["reasoning_content"] = _cut("".join(choice.reasoning))
    if choice.calls:
        answer["tool_calls"] = [
            {"id": call.id, "name": call.name, "arguments": _cut(call.arguments)}
            for call in joined_calls(choice.calls)
        ]
    return answer


def _bare(prompt: Prompt) -> Any:
    if isinstance(prompt, TextPrompt):
        return _cut(prompt.text)
    return list(prompt.tokens) if isinstance(prompt, TokenPrompt) else None


def _to_json(message: ChatMessage, images: Iterator[dict[str, Any]]) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(message)
    if "reasoning" in plain:
        plain["reasoning"] = _cut(message.reasoning)
    return plain | {"content": list(_parts_of(message.content, images))}


def _parts_of(
    parts: Iterable[TextPart | ImagePart], images: Iterator[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    for part in parts:
        if isinstance(part, ImagePart):
            yield {"type": "image"} | next(images, {})
        else:
            yield {"type": "text", "text": _cut(part.text)}


def _cut(text: str) -> str:
    return text if len(text) <= BODY_TEXT_CHARS else text[:BODY_TEXT_CHARS] + _CUT
