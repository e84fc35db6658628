"""What a benchmark asks: essays, the lines of a file, or prompts of a chosen length.

No two requests of a run are alike unless a file has fewer lines than the run has
requests: a server that keeps what it has read would answer the second one quicker.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

FILE_BYTES = 16 * 1024 * 1024
MOST_PROMPTS = 10_000
TOPICS = ("rivers", "clocks", "bread", "the moon", "ships", "maps", "glass", "bees")
# Common words, of which tokenizers make one token each.
WORDS = (
    *("time", "year", "people", "way", "day", "man", "thing", "woman", "life"),
    *("child", "world", "school", "state", "family", "student", "group", "country"),
    *("problem", "hand", "part", "place", "case", "week", "company", "system"),
    *("program", "question", "work", "number", "night", "point", "home", "water"),
    *("room", "mother", "area", "money", "story", "fact"),
)

Messages = list[dict[str, Any]]


class PromptError(ValueError):
    """Prompts cannot be made; the message is one line."""


def essays() -> Iterator[Messages]:
    """Yield requests for long answers, each another one."""
    for number, topic in enumerate(cycle(TOPICS), 1):
        yield _said(f"Part {number}: write a long, detailed essay about {topic}.")


def words(count: int) -> Iterator[Messages]:
    """Yield prompts of about `count` words that differ from their beginning on."""
    text = " ".join(islice(cycle(WORDS), count))
    number = 0
    while True:
        number += 1
        yield _said(f"Text {number:06}. {text}")


def repeated(prompts: Iterable[Messages]) -> Iterator[Messages]:
    """Yield the prompts of a file, in turns."""
    return cycle(prompts)


def read_prompts(path: Path) -> list[Messages]:
    """Return the prompts of a file: a line each, as text or as JSON.

    A line that is a JSON object has `prompt` (a text) or `messages`.

    Raises:
        PromptError: there is none, or too many, or a line is not one.
    """
    try:
        if path.stat().st_size > FILE_BYTES:
            raise PromptError(f"{path} is larger than {FILE_BYTES // 1024**2} MiB")
        lines = path.read_text().splitlines()
    except OSError as error:
        raise PromptError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise PromptError(f"{path} is not UTF-8 text") from None
    found = [
        _prompt(line, f"{path}, line {number}")
        for number, line in enumerate(lines, 1)
        if line.strip()
    ]
    if not found:
        raise PromptError(f"{path} holds no prompt")
    if len(found) > MOST_PROMPTS:
        raise PromptError(f"{path} holds more than {MOST_PROMPTS:,} prompts")
    return found


@dataclass(frozen=True, slots=True)
class Length:
    """How many tokens a server makes of so many words, from two looks at it."""

    per_word: float
    around: float

    @classmethod
    def of(cls, few: tuple[int, int], many: tuple[int, int]) -> Length:
        """Lay a line through two pairs of words and tokens."""
        per_word = (many[1] - few[1]) / (many[0] - few[0])
        return cls(per_word, few[1] - per_word * few[0])

    def words_for(self, tokens: int) -> int:
        """Return how many words make `tokens` tokens.

        Raises:
            PromptError: what stands around every prompt is longer.
        """
        count = round((tokens - self.around) / self.per_word) if self.per_word else 0
        if count < 1:
            raise PromptError(
                f"--input-tokens must be more than {round(self.around)}: the model's "
                "template takes as many"
            )
        return count


def _prompt(line: str, place: str) -> Messages:
    if not line.lstrip().startswith("{"):
        return _said(line.strip())
    try:
        value = json.loads(line)
    except ValueError:
        raise PromptError(f"{place} is not JSON") from None
    if isinstance(value.get("prompt"), str):
        return _said(value["prompt"])
    messages = value.get("messages")
    if isinstance(messages, list) and messages:
        return messages
    raise PromptError(f"{place} has neither a prompt nor messages")


def _said(text: str) -> Messages:
    return [{"role": "user", "content": text}]
