"""Prompts that end inside the last assistant's message, for the model to go on.

A mark is put at the end of that message, and what the template writes is cut there:
the header, the channel or the closed thinking before it are the template's own. Where
a template loses the mark, the message follows the beginning of an answer instead.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from inference.core.requests import TextPart

if TYPE_CHECKING:
    from inference.core.requests import ChatMessage

# Digits, which no template changes; nobody outside can know them.
MARK = f"{secrets.randbelow(9 * 10**15) + 10**15}-{10**15}"
THINKING_LOST = "the thinking of the continued message was left out"


@dataclass(frozen=True, slots=True)
class Continued:
    """What an answer goes on from: thinking, and the text after it.

    `is_thinking`: it goes on inside the thinking, and there is no text yet.
    """

    earlier: tuple[ChatMessage, ...]
    message: ChatMessage
    thinking: str
    text: str
    is_thinking: bool
    tags: tuple[str, str]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to go on from."""
        return not (self.text or self.thinking or self.is_thinking)

    @property
    def marked(self) -> tuple[ChatMessage, ...]:
        """The conversation, with the mark where the answer goes on."""
        last = msgspec.structs.replace(
            self.message,
            content=() if self.is_thinking else (TextPart(self.text + MARK),),
            reasoning=self.thinking + (MARK if self.is_thinking else ""),
        )
        return (*self.earlier, last)

    def cut(self, rendered: str) -> tuple[str, tuple[str, ...]]:
        """Return what was rendered of `marked`, up to the mark, and warnings."""
        text = rendered[: rendered.rindex(MARK)]
        thinking = self.thinking.strip()
        if self.is_thinking or not thinking or thinking in text:
            return text, ()
        head = text.removesuffix(self.text)
        start, end = self.tags
        if not (start and end) or len(head) + len(self.text) != len(text):
            return text, (THINKING_LOST,)
        if head.rstrip().endswith(end):
            # An empty pair stands there, for an answer without thinking.
            head = head[: head.rindex(start)] if start in head else head
        return f"{head}{start}\n{thinking}\n{end}\n\n{self.text}", ()

    def after(self, opening: str) -> str:
        """Return the message behind the beginning of an answer."""
        start, end = self.tags
        is_open = bool(start) and opening.rstrip().endswith(start)
        if self.is_thinking:
            tag = "" if is_open else f"{start}\n"
            return f"{opening}{tag}{self.thinking}"
        if is_open:
            return f"{opening}{self.thinking}\n{end}\n\n{self.text}"
        if self.thinking and start:
            return f"{opening}{start}\n{self.thinking}\n{end}\n\n{self.text}"
        return opening + self.text


def continued(messages: tuple[ChatMessage, ...], tags: tuple[str, str]) -> Continued:
    """Return what the last message, an assistant's, is to be continued from.

    Thinking that stands in its content, between the model's tags, is told from the
    text.
    """
    *earlier, last = messages
    start, end = tags
    text, thinking, is_thinking = last.text, last.reasoning, False
    opened = text.lstrip()
    if start and end and not thinking and opened.startswith(start):
        thinking, closed, text = opened.removeprefix(start).partition(end)
        thinking = thinking.removeprefix("\n")
        text = text.lstrip("\n")
        is_thinking = not closed
        if closed:
            thinking = thinking.removesuffix("\n")
    elif thinking and not text:
        is_thinking = bool(start)
    return Continued(
        earlier=tuple(earlier),
        message=last,
        thinking=thinking,
        text=text,
        is_thinking=is_thinking,
        tags=tags,
    )
