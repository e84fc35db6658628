"""How many tokens a text may have, where no tokenizer has counted them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inference.core.requests import ChatMessage

# Words of a longer text are those of its beginning, scaled up: splitting all of a
# long prompt would hold up the event loop.
_SPLIT_CHARS = 64 * 1024


def estimated_tokens(words: int, characters: int) -> int:
    """Return the mean of what words and what characters suggest."""
    return round((words / 1.3 + characters / 4) / 2)


def prompt_estimate(messages: Iterable[ChatMessage]) -> int:
    """Return about how many tokens the texts of a conversation have."""
    words = characters = 0
    for message in messages:
        text = message.text
        characters += len(text)
        words += _words(text)
    return estimated_tokens(words, characters)


def _words(text: str) -> int:
    if len(text) <= _SPLIT_CHARS:
        return len(text.split())
    beginning = len(text[:_SPLIT_CHARS].split())
    return beginning * len(text) // _SPLIT_CHARS
