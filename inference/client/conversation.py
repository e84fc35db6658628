"""A conversation as it grows: owns its turns, and what goes with the next question."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from inference.client.asking import Question

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(slots=True)
class Conversation:
    """The turns so far in OpenAI's form, and how the next answer is asked for.

    `pictures` are parts of messages, and go with the next question alone.
    """

    model: str = ""
    system: str = ""
    stream: bool = True
    parameters: dict[str, Any] = field(default_factory=dict)
    pictures: list[dict[str, Any]] = field(default_factory=list)
    turns: list[dict[str, Any]] = field(default_factory=list)

    def question(self, text: str) -> Question:
        """Return the conversation with one more question, which is not kept yet."""
        return self._asking([*self.turns, self._turn(text)])

    def question_alone(self, text: str) -> Question:
        """Return a question without the turns before it."""
        return self._asking([self._turn(text)])

    def keep(self, text: str, answer: str) -> None:
        """Add a question and what was answered; its pictures go with it."""
        said = {"role": "assistant", "content": answer}
        self.turns += [self._turn(text), said]
        self.pictures.clear()

    def clear(self) -> None:
        """Forget the turns; model, system prompt and parameters stay."""
        self.turns.clear()
        self.pictures.clear()

    @property
    def last_question(self) -> str:
        """The text of the newest question; "" where there is none."""
        for turn in reversed(self.turns):
            if turn["role"] == "user":
                return text_of(turn)
        return ""

    def as_json(self) -> str:
        """Return all of it in the form in which it is sent."""
        told = {"model": self.model} if self.model else {}
        messages = [*self._system_turn(), *self.turns]
        whole = {**told, **self.parameters, "messages": messages}
        return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"

    def as_markdown(self) -> str:
        """Return all of it to read; pictures are counted, not shown."""
        parts = []
        for turn in [*self._system_turn(), *self.turns]:
            count = pictures_of(turn)
            note = f"\n\n({pictures_in_words(count)})" if count else ""
            parts.append(f"## {turn['role']}\n\n{text_of(turn)}{note}\n")
        return "\n".join(parts)

    def _asking(self, turns: list[dict[str, Any]]) -> Question:
        return Question(
            messages=(*self._system_turn(), *turns),
            model=self.model,
            parameters=dict(self.parameters),
            stream=self.stream,
        )

    def _system_turn(self) -> Iterator[dict[str, Any]]:
        if self.system:
            yield {"role": "system", "content": self.system}

    def _turn(self, text: str) -> dict[str, Any]:
        if not self.pictures:
            return {"role": "user", "content": text}
        words = [{"type": "text", "text": text}] if text else []
        return {"role": "user", "content": [*self.pictures, *words]}


def text_of(turn: dict[str, Any]) -> str:
    """Return the text of a turn, without its pictures."""
    content = turn["content"]
    if isinstance(content, str):
        return content
    return "".join(part["text"] for part in content if part["type"] == "text")


def pictures_of(turn: dict[str, Any]) -> int:
    """Return how many pictures a turn shows."""
    content = turn["content"]
    if isinstance(content, str):
        return 0
    return sum(part["type"] == "image_url" for part in content)


def pictures_in_words(count: int) -> str:
    """Return `1 picture`, `2 pictures`."""
    return "1 picture" if count == 1 else f"{count} pictures"
