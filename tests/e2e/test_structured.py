"""Structured output with a model that makes sense: every finished answer validates."""

from __future__ import annotations

import asyncio
import json
from itertools import product
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from tests.e2e.schemas import PROMPTS, SCHEMAS

if TYPE_CHECKING:
    from tests.e2e.servers import Server

pytestmark = pytest.mark.slow


async def ask_all(server: Server, prompts: list[str]) -> list[tuple[str, str, str]]:
    """Ask for each schema with each prompt; return schema, finish reason and text."""
    client = server.async_client(timeout=600)
    model = (await client.models.list()).data[0].id
    turns = asyncio.Semaphore(16)

    async def ask(name: str, prompt: str, seed: int) -> tuple[str, str, str]:
        async with turns:
            answer = await client.chat.completions.create(
                model=model,
                messages=[{"role": "user", "content": prompt}],
                temperature=1,
                seed=seed,
                max_tokens=256,
                response_format={
                    "type": "json_schema",
                    "json_schema": {"name": name, "schema": SCHEMAS[name]},
                },
            )
        choice = answer.choices[0]
        return name, choice.finish_reason, choice.message.content or ""

    return await asyncio.gather(
        *(
            ask(name, prompt, seed)
            for seed, (name, prompt) in enumerate(product(SCHEMAS, prompts))
        )
    )


def finished_share(answers: list[tuple[str, str, str]]) -> float:
    """Validate every finished answer; return the share that finished."""
    finished = [(name, text) for name, reason, text in answers if reason == "stop"]
    for name, text in finished:
        jsonschema.validate(json.loads(text), SCHEMAS[name])
    return len(finished) / len(answers)


@pytest.mark.parametrize(
    "prompts", [1, pytest.param(len(PROMPTS), marks=pytest.mark.endurance)]
)
def test_every_finished_answer_fits_its_schema(
    prompts: int, smollm2_server: Server
) -> None:
    answers = asyncio.run(ask_all(smollm2_server, PROMPTS[:prompts]))
    assert len(answers) == len(SCHEMAS) * prompts
    assert finished_share(answers) >= 0.9


@pytest.mark.parametrize(
    "kind",
    ["rambler_server", pytest.param("smollm2_server", marks=pytest.mark.endurance)],
)
def test_one_batch_serves_every_kind_of_row(
    kind: str, request: pytest.FixtureRequest
) -> None:
    server: Server = request.getfixturevalue(kind)
    client = server.async_client(timeout=600)
    schema = {
        "type": "json_schema",
        "json_schema": {"name": "it", "schema": SCHEMAS["flat"]},
    }
    tool = {
        "type": "function",
        "function": {"name": "order", "parameters": SCHEMAS["flat"]},
    }
    forced = {
        "tools": [tool],
        "tool_choice": {"type": "function", "function": {"name": "order"}},
    }
    variants: list[dict[str, Any]] = [
        {"temperature": 0},
        {"temperature": 0.7, "seed": 1},
        {"temperature": 1.2, "seed": 2, "top_p": 0.9},
        {"temperature": 1, "seed": 3, "extra_body": {"top_k": 20}},
        {"temperature": 1, "seed": 4, "extra_body": {"min_p": 0.1}},
        {"temperature": 0, "presence_penalty": 1.5},
        {"temperature": 0, "frequency_penalty": 1.5},
        {"temperature": 0, "extra_body": {"repetition_penalty": 1.3}},
        {"temperature": 0, "logit_bias": {"100": 5, "200": -100}},
        {"temperature": 1, "seed": 5, "extra_body": {"xtc_probability": 0.5}},
        {"temperature": 0, "logprobs": True, "top_logprobs": 5},
        {"temperature": 1, "seed": 6, "logprobs": True},
        {"temperature": 0, "response_format": schema},
        {"temperature": 1, "seed": 7, "response_format": schema},
        {"temperature": 0, **forced},
        {"temperature": 1, "seed": 8, **forced},
    ]

    async def ask(options: dict[str, Any]) -> Any:
        answer = await client.chat.completions.create(
            model=server.get("/v1/models")["data"][0]["id"],
            messages=[{"role": "user", "content": "Order three apples."}],
            max_tokens=24,
            **options,
        )
        choice = answer.choices[0]
        calls = choice.message.tool_calls or []
        entries = choice.logprobs.content if choice.logprobs else []
        return (
            choice.message.content,
            [call.function.arguments for call in calls],
            [entry.token for entry in entries],
        )

    async def run() -> None:
        alone = [await ask(options) for options in variants]
        together = await asyncio.gather(*(ask(options) for options in variants))
        assert list(together) == alone

    asyncio.run(run())
