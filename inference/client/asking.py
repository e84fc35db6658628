"""A question to a chat model over the openai SDK, and how its answer is filled.

Works with every server that speaks OpenAI's chat completions.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from inference.client.faults import ServerError, broke_off, told_by_sdk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from openai import AsyncOpenAI

    from inference.client.address import ServerAddress
    from inference.client.answers import Answer

CONNECT_S = 5.0
# A server without keep-alive says nothing while it reads a long prompt.
SILENCE_S = 600.0
# The finish reason of an answer that nobody waited for.
STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: a conversation in OpenAI's form, and how to answer it.

    Without a model the server chooses.
    """

    messages: tuple[dict[str, Any], ...]
    model: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    stream: bool = True


@asynccontextmanager
async def sdk_client(address: ServerAddress) -> AsyncIterator[AsyncOpenAI]:
    """Open an SDK client that hides no failure behind a second try."""
    import openai

    timeout = openai.Timeout(SILENCE_S, connect=CONNECT_S)
    http = openai.DefaultAsyncHttpxClient(
        trust_env=not address.is_near, timeout=timeout
    )
    async with openai.AsyncOpenAI(
        base_url=address.base_url,
        # Never the one of the environment: it may belong to another server.
        api_key=address.api_key or "none",
        timeout=timeout,
        max_retries=0,
        http_client=http,
    ) as client:
        yield client


async def ask(address: ServerAddress, question: Question, answer: Answer) -> None:
    """Fill `answer` while it comes, and end it.

    Raises:
        ServerError: the server refused or failed; what came is in `answer`.
    """
    try:
        async with sdk_client(address) as client:
            await _fill(client, address.base_url, question, answer)
        if not answer.is_over:
            raise broke_off("the server ended it without a reason")
    except ServerError as error:
        answer.ended(error=str(error))
        raise
    finally:
        answer.ended(STOPPED)


async def _fill(
    client: AsyncOpenAI, base_url: str, question: Question, answer: Answer
) -> None:
    import openai

    options: dict[str, Any] = {
        "messages": question.messages,
        "model": question.model or openai.omit,
        "extra_body": dict(question.parameters) or None,
    }
    if question.stream:
        options |= {"stream": True, "stream_options": {"include_usage": True}}
    with told_by_sdk(base_url):
        answer.asked()
        made = await client.chat.completions.create(**options)
        if not question.stream:
            _fill_whole(made, answer)
            return
    try:
        with told_by_sdk(base_url, midway=True):
            await _fill_streamed(made, answer)
    finally:
        # Closing is what tells the server to stop.
        await made.close()


async def _fill_streamed(stream: Any, answer: Answer) -> None:
    """Read to the end, which is one only where the server gave a reason."""
    reason = ""
    async for chunk in stream:
        answer.named(chunk.model)
        if chunk.usage is not None:
            answer.counted(chunk.usage.model_dump())
        for choice in (chunk.choices or ())[:1]:
            delta = choice.delta
            answer.add(text=delta.content or "", thinking=_thinking(delta))
            reason = choice.finish_reason or reason
    if reason:
        answer.ended(reason)


def _fill_whole(made: Any, answer: Answer) -> None:
    answer.named(made.model)
    if made.usage is not None:
        answer.counted(made.usage.model_dump())
    choice = made.choices[0]
    answer.add(text=choice.message.content or "", thinking=_thinking(choice.message))
    answer.ended(choice.finish_reason or "stop")


def _thinking(message: Any) -> str:
    """Return the thinking, under the names that servers give it."""
    for name in ("reasoning_content", "reasoning"):
        found = getattr(message, name, None)
        if isinstance(found, str) and found:
            return found
    return ""
