"""A conversation that is too long, where its oldest turns may be left out."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from inference.core.errors import InvalidRequestError
from inference.core.requests import (
    ChatMessage,
    ChatPrompt,
    ImagePart,
    TextPart,
    TextPrompt,
    ToolCall,
)
from inference.runtime.truncation import NewestPart

if TYPE_CHECKING:
    from inference.core.requests import Prompt

CALL = ChatMessage("assistant", tool_calls=(ToolCall("c1", "look", "{}"),))
RESULT = ChatMessage("tool", (TextPart("r"),), tool_call_id="c1")


def said(role: str, text: str) -> ChatMessage:
    return ChatMessage(role, (TextPart(text),))


class Worker:
    """Prepares what is no longer than so many messages, and remembers it."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.held: dict[int, tuple[Any, Any]] = {}
        self.tried = 0
        self.warnings: list[str] = []

    async def prepare(self, prompt: Prompt, images: Any) -> Any:
        self.tried += 1
        messages = getattr(prompt, "messages", ())
        if not messages or len(messages) > self._most:
            raise InvalidRequestError("Too long.", code="context_length_exceeded")
        self.held[self.tried] = (messages, images)
        return SimpleNamespace(prompt_id=self.tried)

    async def newest(self, prompt: Prompt, images: Any = ()) -> Any:
        """Return the messages and images that were prepared, the only ones held."""
        part = NewestPart(self.prepare, self.held.pop, self.warnings.append)
        await part(prompt, images)
        ((prepared),) = self.held.values()
        return prepared


def turns(count: int) -> tuple[ChatMessage, ...]:
    roles = ("user", "assistant")
    return tuple(said(roles[at % 2], str(at)) for at in range(count))


@pytest.mark.parametrize("most", range(2, 12))
async def test_the_newest_part_stays_behind_the_instructions(most: int) -> None:
    rules, messages = said("system", "Be brief."), turns(11)
    worker = Worker(most)
    kept, _ = await worker.newest(ChatPrompt((rules, *messages)))
    assert kept == (rules, *messages[-(most - 1) :])
    assert worker.tried <= 6
    assert worker.warnings == [
        f"truncation: the {12 - most} oldest messages were left out"
    ]


async def test_what_fits_is_left_as_it_is() -> None:
    worker = Worker(5)
    kept, _ = await worker.newest(ChatPrompt(turns(5)))
    assert (kept, worker.warnings, worker.tried) == (turns(5), [], 1)


async def test_a_result_goes_with_its_call() -> None:
    worker = Worker(3)
    question, last = said("user", "Look!"), said("user", "And?")
    kept, _ = await worker.newest(ChatPrompt((question, CALL, RESULT, RESULT, last)))
    assert kept == (last,)


async def test_images_of_what_is_left_out_go_with_it() -> None:
    seen = [ChatMessage("user", (ImagePart(f"data:{at}"),)) for at in range(4)]
    kept, images = await Worker(2).newest(ChatPrompt(tuple(seen)), ("a", "b", "c", "d"))
    assert (kept, images) == (tuple(seen[2:]), ("c", "d"))


@pytest.mark.parametrize("prompt", [ChatPrompt(turns(4)), TextPrompt("too long")])
async def test_what_cannot_be_made_to_fit_is_refused(prompt: Prompt) -> None:
    with pytest.raises(InvalidRequestError, match="Too long"):
        await Worker(0).newest(prompt)
