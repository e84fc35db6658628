"""How many tokens a text may have, where no tokenizer has counted them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from inference.core.requests import TextPrompt, TokenPrompt

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from inference.core.events import RequestRecord
    from inference.core.requests import ChatPrompt, Prompt

# Words of longer prompts are those of their beginning, scaled up: splitting all of
# them would hold up the event loop.
_SPLIT_CHARS = 64 * 1024


def estimated_tokens(words: int, characters: int) -> int:
    """Return the mean of what words and what characters suggest."""
    return round((words / 1.3 + characters / 4) / 2)


def prompt_estimate(prompts: Iterable[Prompt]) -> int:
    """Return about how many tokens prompts have; token ids are counted."""
    words = split = characters = tokens = 0
    for prompt in prompts:
        if isinstance(prompt, TokenPrompt):
            tokens += len(prompt.tokens)
            continue
        for text in _texts(prompt):
            beginning = text[: max(0, _SPLIT_CHARS - split)]
            words += len(beginning.split())
            split += len(beginning)
            characters += len(text)
    return tokens + estimated_tokens(words * characters // max(1, split), characters)


def _texts(prompt: ChatPrompt | TextPrompt) -> Iterator[str]:
    if isinstance(prompt, TextPrompt):
        yield prompt.text
    else:
        yield from (message.text for message in prompt.messages)


def with_estimates(
    record: RequestRecord, *, unprepared: tuple[Prompt, ...]
) -> RequestRecord:
    """Return a last record with estimates where no tokenizer has counted.

    `unprepared` are prompts that nobody made tokens of.
    """
    changes = {}
    if record.prompt_tokens is None and unprepared:
        changes["prompt_tokens"] = prompt_estimate(unprepared)
    if not record.completion_tokens and record.characters:
        changes["completion_tokens"] = estimated_tokens(record.words, record.characters)
    if not changes:
        return record
    return msgspec.structs.replace(record, is_estimated=True, **changes)
