"""Agents of two SDKs: a call, its result, the answer, with models of each family."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import agents
import pydantic_ai
import pytest
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from tests.e2e.family_server import FamilyServer, real_template
from tests.families.cases import (
    JSON,
    TEXTS,
    ZURICH,
    coder,
    deepseek_31,
    glm,
    harmony,
)
from tests.families.scripted import write_caller

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Iterator

# How long the prompt is to which a model answers with a call.
AT = 4000
ASKED = "How is the weather in Zürich?"
# Long enough that no later prompt ends where the call is said.
RESULT = "Sunny, " * 100
# No token of it comes twice.
ANSWER = "It is warm."
HARMONY_ANSWER = f"<|channel|>final<|message|>{ANSWER}"
# What each family writes as its call, and as its answer.
FAMILIES = {
    "Qwen3-Coder": (coder("get_weather", TEXTS), ANSWER),
    "GLM-4.6": (f"<think>hm</think>\n{glm('get_weather', TEXTS)}", ANSWER),
    "openai-gpt-oss-120b": (
        "<|channel|>analysis<|message|>hm<|end|><|start|>assistant"
        f"{harmony('get_weather', JSON)}",
        HARMONY_ANSWER,
    ),
    "meta-llama-Llama-3.1-8B-Instruct": (
        f'{{"name": "get_weather", "parameters": {JSON}}}',
        ANSWER,
    ),
    "Mistral-Small-3.2-24B-Instruct-2506": (
        f"[TOOL_CALLS]get_weather[CALL_ID]abcdefgh1[ARGS]{JSON}",
        ANSWER,
    ),
    "deepseek-ai-DeepSeek-V3.1": (
        f"hm</think>Looking.{deepseek_31(('get_weather', JSON))}",
        f"</think>{ANSWER}",
    ),
}

agents.set_tracing_disabled(True)


@pytest.fixture(scope="module")
def families(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FamilyServer]:
    """A server of a model for each family that calls once, and then answers."""
    folder = tmp_path_factory.mktemp("families")
    models = {
        family: write_caller(
            folder / family, real_template(family), call, answer, at=AT
        )
        for family, (call, answer) in FAMILIES.items()
    }
    data = tmp_path_factory.mktemp("data") / "data"
    server = FamilyServer(models, folder, data)
    server.server.wait_ready()
    yield server
    server.close()


@dataclass
class Weather:
    """The one tool of an agent; keeps what it was asked."""

    asked: list[dict[str, Any]] = field(default_factory=list)

    def get_weather(
        self,
        city: str,
        days: int,
        zip: str,  # noqa: A002 -- the parameter's name
        metric: bool,
    ) -> str:
        """Tell the weather."""
        self.asked.append({"city": city, "days": days, "zip": zip, "metric": metric})
        return RESULT


@dataclass
class OpenAIAgent:
    """An agent of OpenAI's SDK."""

    server: FamilyServer
    family: str
    weather: Weather = field(default_factory=Weather)

    def __post_init__(self) -> None:
        self._agent = agents.Agent(
            name="weather",
            instructions="Be brief.",
            tools=[agents.function_tool(self.weather.get_weather)],
            model=agents.OpenAIChatCompletionsModel(
                self.server.served(self.family), self.server.server.async_client()
            ),
            model_settings=agents.ModelSettings(temperature=0),
        )

    async def run(self, prompt: str) -> tuple[str, int]:
        """Return the answer, and how long the first prompt was."""
        result = await agents.Runner.run(self._agent, prompt)
        return result.final_output, result.raw_responses[0].usage.input_tokens

    async def stream(self, prompt: str) -> str:
        """Return the answer of a run that was followed."""
        result = agents.Runner.run_streamed(self._agent, prompt)
        kinds = [event.type async for event in result.stream_events()]
        assert "raw_response_event" in kinds
        return str(result.final_output)


@dataclass
class PydanticAgent:
    """An agent of Pydantic's."""

    server: FamilyServer
    family: str
    weather: Weather = field(default_factory=Weather)

    def __post_init__(self) -> None:
        provider = OpenAIProvider(openai_client=self.server.server.async_client())
        self._agent = pydantic_ai.Agent(
            OpenAIChatModel(self.server.served(self.family), provider=provider),
            instructions="Be brief.",
            tools=[self.weather.get_weather],
            model_settings={"temperature": 0},
        )

    async def run(self, prompt: str) -> tuple[str, int]:
        """Return the answer, and how long the first prompt was."""
        result = await self._agent.run(prompt)
        answers = [m for m in result.all_messages() if m.kind == "response"]
        return result.output, answers[0].usage.input_tokens

    async def stream(self, prompt: str) -> str:
        """Return the answer of a run that was followed."""
        kinds: list[str] = []

        async def follow(context: Any, events: AsyncIterable[Any]) -> None:
            kinds.extend([event.event_kind async for event in events])

        result = await self._agent.run(prompt, event_stream_handler=follow)
        assert "part_delta" in kinds
        return result.output


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", [OpenAIAgent, PydanticAgent])
async def test_an_agent_calls_gets_its_result_and_answers(
    families: FamilyServer, kind: type[OpenAIAgent | PydanticAgent], family: str
) -> None:
    agent = kind(families, family)
    answer, prompt_tokens = await agent.run(ASKED)
    assert (answer, agent.weather.asked) == (ANSWER, [])
    longer = ASKED + families.models[family].filler("call", prompt_tokens)
    answer, prompt_tokens = await agent.run(longer)
    assert (answer, prompt_tokens) == (ANSWER, AT)
    assert agent.weather.asked == [ZURICH]
    assert await agent.stream(longer) == ANSWER
    assert agent.weather.asked == [ZURICH, ZURICH]


@pytest.mark.parametrize("family", FAMILIES)
def test_openais_stream_helper_puts_calls_together(
    families: FamilyServer, family: str
) -> None:
    tool = agents.function_tool(Weather().get_weather)
    function: Any = {
        "type": "function",
        "function": {"name": tool.name, "parameters": tool.params_json_schema},
    }
    client = families.server.client()
    options: Any = {"model": families.served(family), "tools": [function]}
    bare = client.chat.completions.create(
        messages=[{"role": "user", "content": ASKED}], **options
    )
    assert bare.usage is not None
    filler = families.models[family].filler("call", bare.usage.prompt_tokens)
    with client.chat.completions.stream(
        messages=[{"role": "user", "content": ASKED + filler}],
        stream_options={"include_usage": True},
        **options,
    ) as stream:
        done = [e for e in stream if e.type == "tool_calls.function.arguments.done"]
        answer = stream.get_final_completion()
    assert [(event.name, event.parsed_arguments) for event in done] == [
        ("get_weather", None)
    ]
    (call,) = answer.choices[0].message.tool_calls or []
    assert call.function.arguments == done[0].arguments
