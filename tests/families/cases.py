"""Answers as models of each family write them, and what a client must get of each.

`cases.json` holds thirty that were met in the field. The ones here are for the forms
and the slips that are not among them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
Call = tuple[str, dict[str, Any]]

WEATHER: dict[str, Any] = {
    "name": "get_weather",
    "description": "Weather.",
    "parameters": {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "days": {"type": "integer"},
            "zip": {"type": "string"},
            "metric": {"type": "boolean"},
            "opts": {"type": "object"},
            "tags": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["city"],
    },
}
ADD: dict[str, Any] = {
    "name": "add_numbers",
    "description": "Adds.",
    "parameters": {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
    },
}
SAVE: dict[str, Any] = {
    "name": "save",
    "description": "Saves.",
    "parameters": {
        "type": "object",
        "properties": {
            "digits": {"type": "string"},
            "truth": {"type": "string"},
            "nothing": {"type": "string"},
            "braces": {"type": "string"},
            "code": {"type": "string"},
            "count": {"type": "integer"},
            "ratio": {"type": "number"},
            "is_new": {"type": "boolean"},
            "limit": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            "either": {"type": ["integer", "string"]},
            "place": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "at": {"type": "array", "items": {"type": "number"}},
                },
            },
            "tags": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["digits"],
    },
}
USUAL = (WEATHER, ADD)


@dataclass(frozen=True)
class Case:
    """What a model of `family` writes, and what its client gets.

    `warns` is in a warning of the request's row; empty: nothing is asked about it.
    """

    family: str
    name: str
    writes: str
    content: str = ""
    reasoning: str = ""
    calls: tuple[Call, ...] = ()
    tools: tuple[dict[str, Any], ...] = USUAL
    warns: str = ""
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def finish_reason(self) -> str:
        """Why the answer ended, as a client reads it."""
        return "tool_calls" if self.calls else "stop"

    @property
    def request(self) -> dict[str, Any]:
        """What the request has beside its messages."""
        tools = [{"type": "function", "function": tool} for tool in self.tools]
        return ({"tools": tools} if tools else {}) | self.options

    def __str__(self) -> str:
        return f"{self.family}: {self.name}"


def met_cases() -> list[Case]:
    """Return the thirty that were met in the field."""
    return [
        Case(
            family=met["family"],
            name=met["case"],
            writes=met["model_writes"],
            content=met["content"],
            reasoning=met["reasoning"],
            calls=tuple((call["name"], call["arguments"]) for call in met["calls"]),
            tools=tuple(met["tools"]),
        )
        for met in json.loads((HERE / "cases.json").read_text(encoding="utf-8"))
    ]


def weather(**arguments: Any) -> Call:
    """A call of `get_weather`."""
    return ("get_weather", arguments)


ZURICH = {"city": "Zürich", "days": 3, "zip": "01234", "metric": True}
FULL = weather(**ZURICH)
SUM: Call = ("add_numbers", {"a": 1, "b": 2})
JSON = json.dumps(ZURICH, ensure_ascii=False)
NAMED = f'{{"name": "get_weather", "arguments": {JSON}}}'
ADDED = '{"name": "add_numbers", "arguments": {"a": 1, "b": 2}}'
TEXTS = {"city": "Zürich", "days": "3", "zip": "01234", "metric": "true"}
SUNNY = "It is sunny."

# --- how each family writes a call, from its arguments as texts


def coder_function(name: str, texts: dict[str, str]) -> str:
    """A function as Qwen3-Coder writes it."""
    inside = "".join(f"<parameter={k}>\n{v}\n</parameter>\n" for k, v in texts.items())
    return f"<function={name}>\n{inside}</function>"


def coder(name: str, texts: dict[str, str]) -> str:
    """A call as Qwen3-Coder, Nemotron 3 and Step 3.5 write it."""
    return f"<tool_call>\n{coder_function(name, texts)}\n</tool_call>"


def seed(name: str, texts: dict[str, str]) -> str:
    """A call as Seed-OSS writes it."""
    inside = "".join(f"<parameter={k}>{v}</parameter>\n" for k, v in texts.items())
    return (
        f"<seed:tool_call>\n<function={name}>\n{inside}</function>\n</seed:tool_call>"
    )


def glm(name: str, texts: dict[str, str]) -> str:
    """A call as GLM and Ling write it."""
    return "".join(
        [
            f"<tool_call>{name}\n",
            *(
                f"<arg_key>{k}</arg_key>\n<arg_value>{v}</arg_value>\n"
                for k, v in texts.items()
            ),
            "</tool_call>",
        ]
    )


def tight_glm(name: str, texts: dict[str, str]) -> str:
    """A call as Laguna and Spark write it: no line breaks."""
    pairs = (
        f"<arg_key>{k}</arg_key><arg_value>{v}</arg_value>" for k, v in texts.items()
    )
    return f"<tool_call>{name}{''.join(pairs)}</tool_call>"


def hunyuan(name: str, texts: dict[str, str]) -> str:
    """A call as Hunyuan 3 writes it."""
    pairs = (
        f"<arg_key:opensource>{k}</arg_key:opensource>\n"
        f"<arg_value:opensource>{v}</arg_value:opensource>\n"
        for k, v in texts.items()
    )
    return (
        "<tool_calls:opensource>\n"
        f"<tool_call:opensource>{name}<tool_sep:opensource>\n"
        f"{''.join(pairs)}</tool_call:opensource>\n</tool_calls:opensource>"
    )


def _invoked(name: str, texts: dict[str, str], prefix: str = "") -> str:
    inside = "".join(
        f'<{prefix}parameter name="{k}">{v}</{prefix}parameter>\n'
        for k, v in texts.items()
    )
    return f'<{prefix}invoke name="{name}">\n{inside}</{prefix}invoke>\n'


def minimax(name: str, texts: dict[str, str]) -> str:
    """A call as MiniMax-M2 writes it."""
    return f"<minimax:tool_call>\n{_invoked(name, texts)}</minimax:tool_call>"


def muse(name: str, texts: dict[str, str]) -> str:
    """A call as Muse writes it."""
    calls = _invoked(name, texts, "atem:")
    return f"<atem:function_calls>\n{calls}</atem:function_calls>"


_NS = "]<]minimax[>["


def minimax_3(name: str, texts: dict[str, str]) -> str:
    """A call as MiniMax-M3 writes it."""
    inside = "".join(f"{_NS}<{k}>{v}{_NS}</{k}>" for k, v in texts.items())
    return (
        f'{_NS}<tool_call>\n{_NS}<invoke name="{name}">{inside}{_NS}</invoke>\n'
        f"{_NS}</tool_call>"
    )


def minicpm(name: str, texts: dict[str, str]) -> str:
    """A call as MiniCPM5 writes it."""
    inside = "".join(f'<param name="{k}">{v}</param>' for k, v in texts.items())
    return f'<function name="{name}">{inside}</function>'


DSML = "\uff5cDSML\uff5c"


def dsml(name: str, texts: dict[str, str], block: str = "function_calls") -> str:
    """A call as DeepSeek V3.2 writes it; what is text says so."""
    inside = "".join(
        f'<{DSML}parameter name="{k}" string="{_is_text(name, k, v)}">{v}'
        f"</{DSML}parameter>\n"
        for k, v in texts.items()
    )
    return (
        f'\n\n<{DSML}{block}>\n<{DSML}invoke name="{name}">\n{inside}'
        f"</{DSML}invoke>\n</{DSML}{block}>"
    )


def _is_text(name: str, parameter: str, text: str) -> str:
    return "true" if _type_of(name, parameter, text) == "string" else "false"


def _type_of(name: str, parameter: str, text: str) -> str:
    for tool in (WEATHER, ADD, SAVE):
        if tool["name"] == name:
            declared = tool["parameters"]["properties"].get(parameter, {})
            told = declared.get("type", "null" if text == "null" else "string")
            told = told[0] if isinstance(told, list) else told
            return "number" if told == "integer" else str(told)
    raise AssertionError(name)


def kimi_3(name: str, texts: dict[str, str]) -> str:
    """A call as Kimi K3 writes it, after its response."""
    inside = "".join(
        f'<|open|>argument key="{k}" type="{_type_of(name, k, v)}"<|sep|>{v}'
        "<|close|>argument<|sep|>"
        for k, v in texts.items()
    )
    return (
        f'<|open|>tools<|sep|><|open|>call tool="{name}" index="1"<|sep|>{inside}'
        "<|close|>call<|sep|><|close|>tools<|sep|><|close|>message<|sep|>"
    )


def _bar(*words: str) -> str:
    return "<\uff5c" + "\u2581".join(words) + "\uff5c>"


_CALLS, _CALLS_END = _bar("tool", "calls", "begin"), _bar("tool", "calls", "end")
_CALL, _CALL_END = _bar("tool", "call", "begin"), _bar("tool", "call", "end")
_SEP = _bar("tool", "sep")


def deepseek_r1(*calls: tuple[str, str]) -> str:
    """Calls as DeepSeek R1 and V3 write them."""
    inside = "\n".join(
        f"{_CALL}function{_SEP}{name}\n```json\n{arguments}\n```{_CALL_END}"
        for name, arguments in calls
    )
    return f"{_CALLS}{inside}{_CALLS_END}"


def deepseek_31(*calls: tuple[str, str]) -> str:
    """Calls as DeepSeek V3.1 writes them."""
    inside = "".join(
        f"{_CALL}{name}{_SEP}{arguments}{_CALL_END}" for name, arguments in calls
    )
    return f"{_CALLS}{inside}{_CALLS_END}"


def kimi_2(*calls: tuple[str, str]) -> str:
    """Calls as Kimi K2 writes them."""
    inside = "".join(
        f"<|tool_call_begin|>functions.{name}:{at}<|tool_call_argument_begin|>"
        f"{arguments}<|tool_call_end|>"
        for at, (name, arguments) in enumerate(calls)
    )
    return f"<|tool_calls_section_begin|>{inside}<|tool_calls_section_end|>"


def harmony(name: str, arguments: str) -> str:
    """A message of gpt-oss that calls."""
    return (
        f"<|channel|>commentary to=functions.{name} <|constrain|>json<|message|>"
        f"{arguments}"
    )


_WEATHER, _ADD = ("get_weather", JSON), ("add_numbers", '{"a": 1, "b": 2}')
_NEXT = "<|end|><|start|>assistant"
_K3_SAYS = (
    "hm<|close|>think<|sep|><|open|>response<|sep|>Looking.<|close|>response<|sep|>"
)

FORMS = [
    # --- Qwen's JSON
    Case(
        "Qwen-Qwen2.5-7B-Instruct",
        "text before, two calls",
        f"Looking.\n<tool_call>\n{NAMED}\n</tool_call>\n<tool_call>\n{ADDED}\n</tool_call>",
        content="Looking.",
        calls=(FULL, SUM),
    ),
    Case(
        "NousResearch-Hermes-3-Llama-3.1-8B-tool_use",
        "call",
        f"<tool_call>\n{NAMED}\n</tool_call>",
        calls=(FULL,),
    ),
    Case(
        "HuggingFaceTB-SmolLM3-3B",
        "thinking, then a call",
        f"<think>hm</think>\n<tool_call>\n{NAMED}\n</tool_call>",
        reasoning="hm",
        calls=(FULL,),
    ),
    # --- functions in tags
    Case(
        "NVIDIA-Nemotron-3-Nano-30B-A3B-BF16",
        "thinking that the template opened, then a call",
        f"hm\n</think>\n{coder(*('get_weather', TEXTS))}\n",
        reasoning="hm",
        calls=(FULL,),
    ),
    Case(
        "StepFun3.5-Flash",
        "thinking that the template opened, text, a call",
        f"hm\n</think>\nLooking.\n{coder('get_weather', TEXTS)}",
        content="Looking.",
        reasoning="hm",
        calls=(FULL,),
    ),
    Case(
        "Qwen3.5-4B",
        "thinking, then a call",
        f"hm\n</think>\n\n{coder('get_weather', TEXTS)}",
        reasoning="hm",
        calls=(FULL,),
    ),
    Case(
        "Qwen3-Coder",
        "two blocks",
        f"{coder('get_weather', TEXTS)}\n{coder('add_numbers', {'a': '1', 'b': '2'})}",
        calls=(FULL, SUM),
    ),
    Case(
        "ByteDance-Seed-OSS",
        "thinking, then a call",
        f"<seed:think>hm</seed:think>{seed('get_weather', TEXTS)}",
        reasoning="hm",
        calls=(FULL,),
    ),
    Case(
        "MiniMax-M2",
        "two calls in one block",
        "hm\n</think>\n\n<minimax:tool_call>\n"
        f"{_invoked('get_weather', TEXTS)}{_invoked('add_numbers', {'a': '1', 'b': '2'})}"
        "</minimax:tool_call>",
        reasoning="hm",
        calls=(FULL, SUM),
    ),
    Case(
        "MiniMax-M3",
        "thinking, text, a call",
        f"<mm:think>hm</mm:think>Looking.{minimax_3('get_weather', TEXTS)}",
        content="Looking.",
        reasoning="hm",
        calls=(FULL,),
    ),
    Case(
        "MiniMax-M3",
        "nested elements",
        minimax_3(
            "get_weather",
            {
                "city": "Zürich",
                "tags": f"{_NS}<item>a{_NS}</item>{_NS}<item>8001{_NS}</item>",
            },
        ),
        calls=(weather(city="Zürich", tags=["a", "8001"]),),
    ),
    Case(
        "inclusionai-ling-3.0-flash",
        "thinking that the template opened, then a call",
        f"hm</think>\n{glm('get_weather', TEXTS)}",
        reasoning="hm",
        calls=(FULL,),
    ),
    Case(
        "GLM-4.6",
        "text between, two calls",
        f"<think></think>\nLooking.\n{glm('get_weather', TEXTS)}\n"
        f"{glm('add_numbers', {'a': '1', 'b': '2'})}",
        content="Looking.",
        calls=(FULL, SUM),
    ),
    Case(
        "poolside-Laguna-S-2.1",
        "call",
        f"hm</think>{tight_glm('get_weather', TEXTS)}",
        reasoning="hm",
        calls=(FULL,),
    ),
    Case(
        "tencent-Hy3",
        "call",
        hunyuan("get_weather", TEXTS),
        calls=(FULL,),
    ),
    Case(
        "muse-glimmer",
        "call",
        f" to=self<|message|>hm<|eom|><|start|>assistant to=get_weather<|message|>"
        f"{muse('get_weather', TEXTS)}",
        reasoning="hm",
        calls=(FULL,),
    ),
    Case(
        "deepseek-ai-DeepSeek-V3.2",
        "text, then a call",
        f"hm</think>Looking.{dsml('get_weather', TEXTS)}",
        content="Looking.",
        reasoning="hm",
        calls=(FULL,),
    ),
    Case(
        "deepseek-ai-DeepSeek-V4",
        "call",
        f"hm</think>{dsml('get_weather', TEXTS, 'tool_calls')}",
        reasoning="hm",
        calls=(FULL,),
    ),
    Case(
        "Kimi-K3",
        "thinking, text, a call",
        f"{_K3_SAYS}{kimi_3('get_weather', TEXTS)}",
        content="Looking.",
        reasoning="hm",
        calls=(FULL,),
    ),
    # --- names and JSON between marks
    Case(
        "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B",
        "two calls",
        f"hm</think>{deepseek_r1(_WEATHER, _ADD)}",
        reasoning="hm",
        calls=(FULL, SUM),
    ),
    Case(
        "deepseek-ai-DeepSeek-V3.1",
        "two calls",
        deepseek_31(_WEATHER, _ADD),
        calls=(FULL, SUM),
    ),
    Case(
        "Kimi-K2-Thinking",
        "thinking, then two calls",
        f"<think>hm</think>{kimi_2(_WEATHER, _ADD)}",
        reasoning="hm",
        calls=(FULL, SUM),
    ),
    Case(
        "moonshotai-Kimi-K2",
        "two calls",
        kimi_2(_WEATHER, _ADD),
        calls=(FULL, SUM),
    ),
    Case(
        "mistralai-Mistral-Nemo-Instruct-2407",
        "two calls",
        f"[TOOL_CALLS][{NAMED}, {ADDED}]",
        calls=(FULL, SUM),
    ),
    Case(
        "Mistral-Small-3.2-24B-Instruct-2506",
        "without an id",
        f"[TOOL_CALLS]get_weather[ARGS]{JSON}",
        calls=(FULL,),
    ),
    Case(
        "unsloth-mistral-Devstral-Small-2507",
        "two calls with ids",
        f"[TOOL_CALLS]get_weather[CALL_ID]abcdefgh1[ARGS]{JSON}"
        f"[TOOL_CALLS]add_numbers[CALL_ID]abcdefgh2[ARGS]{_ADD[1]}",
        calls=(FULL, SUM),
    ),
    Case(
        "mistralai-Ministral-3-14B-Reasoning-2512",
        "thinking, text, a call",
        f"[THINK]hm[/THINK]Looking.[TOOL_CALLS]get_weather[ARGS]{JSON}",
        content="Looking.",
        reasoning="hm",
        calls=(FULL,),
    ),
    Case(
        "upstage-Solar-Open-100B",
        "thinking, then a call",
        f"<|think|>hm{'<|end|><|begin|>assistant'}<|tool_calls|><|tool_call:begin|>"
        f"a1b2c3d4e5<|tool_call:name|>get_weather<|tool_call:args|>{JSON}"
        "<|tool_call:end|><|calls|>",
        reasoning="hm",
        calls=(FULL,),
    ),
    Case(
        "upstage-Solar-Open-100B",
        "thinking, then an answer",
        f"<|think|>hm<|end|><|begin|>assistant<|content|>{SUNNY}<|end|>",
        content=SUNNY,
        reasoning="hm",
        tools=(),
    ),
    Case(
        "meetkai-functionary-medium-v3.1",
        "call",
        f"<function=get_weather>{JSON}</function>",
        calls=(FULL,),
    ),
    # --- gpt-oss
    Case(
        "openai-gpt-oss-120b",
        "a preamble for the user, then a call",
        f"<|channel|>analysis<|message|>hm{_NEXT}<|channel|>commentary<|message|>"
        f"Looking.{_NEXT}{harmony('get_weather', JSON)}",
        content="Looking.",
        reasoning="hm",
        calls=(FULL,),
    ),
    Case(
        "openai-gpt-oss-120b",
        "the recipient before the channel",
        f" to=functions.get_weather<|channel|>commentary json<|message|>{JSON}",
        calls=(FULL,),
    ),
    Case(
        "openai-gpt-oss-120b",
        "an answer without thinking",
        f"<|channel|>final<|message|>{SUNNY}",
        content=SUNNY,
    ),
    # --- lists and bare calls
    Case(
        "meta-llama-Llama-3.1-8B-Instruct",
        "after the python tag",
        f'<|python_tag|>{{"name": "get_weather", "parameters": {JSON}}}',
        calls=(FULL,),
    ),
    Case(
        "meta-llama-Llama-3.3-70B-Instruct",
        "called a function, with a type",
        f'{{"type": "function", "name": "get_weather", "parameters": {JSON}}}',
        calls=(FULL,),
    ),
    Case(
        "meta-llama-Llama-3.2-3B-Instruct",
        "two calls in Python",
        '[get_weather(city="Zürich", days=3, zip="01234", metric=True), '
        "add_numbers(a=1, b=2)]",
        calls=(FULL, SUM),
    ),
    Case(
        "LFM2.5-8B-A1B",
        "two calls in Python",
        '<|tool_call_start|>[get_weather(city="Zürich", tags=["a", "b"]), '
        "add_numbers(a=1, b=2)]<|tool_call_end|>",
        calls=(weather(city="Zürich", tags=["a", "b"]), SUM),
    ),
    Case(
        "ibm-granite-granite-4.0",
        "call",
        f"<tool_call>\n{NAMED}\n</tool_call>",
        calls=(FULL,),
    ),
    Case(
        "CohereForAI-c4ai-command-r7b-12-2024-tool_use",
        "thinking, then an answer",
        f"<|START_THINKING|>hm<|END_THINKING|><|START_RESPONSE|>{SUNNY}<|END_RESPONSE|>",
        content=SUNNY,
        reasoning="hm",
    ),
    Case(
        "NVIDIA-Nemotron-Nano-v2",
        "text, then two calls",
        f"hm</think>\nLooking.\n<TOOLCALL>[{NAMED}, {ADDED}]</TOOLCALL>",
        content="Looking.",
        reasoning="hm",
        calls=(FULL, SUM),
    ),
    Case(
        "Apertus-8B-Instruct",
        "two calls, then text",
        f'<|tools_prefix|>[{{"get_weather": {JSON}}}, {{"add_numbers": {_ADD[1]}}}]'
        "<|tools_suffix|>",
        calls=(FULL, SUM),
    ),
    Case(
        "google-gemma-4-31B-it",
        "nested values, then a second call",
        '<|tool_call>call:get_weather{city:<|"|>Zürich<|"|>,'
        'opts:{a:<|"|>x<|"|>,b:[1,2]},tags:[<|"|>8001<|"|>]}<tool_call|>'
        "<|tool_call>call:add_numbers{a:1,b:2}<tool_call|>",
        calls=(
            weather(city="Zürich", opts={"a": "x", "b": [1, 2]}, tags=["8001"]),
            SUM,
        ),
    ),
    Case(
        "unsloth-Apriel-1.5",
        "a list of calls",
        f"Looking.\n<tool_calls>[{NAMED}, {ADDED}]</tool_calls>",
        content="Looking.",
        calls=(FULL, SUM),
    ),
    Case(
        "openbmb-MiniCPM5-1B",
        "two calls, text before",
        f"hm</think>Looking.\n{minicpm('get_weather', TEXTS)}\n"
        f"{minicpm('add_numbers', {'a': '1', 'b': '2'})}",
        content="Looking.",
        reasoning="hm",
        calls=(FULL, SUM),
    ),
    # --- templates written after those that could not be fetched
    Case(
        "like/llama4",
        "calls in Python",
        f'<|python_start|>[get_weather(city="Zürich"), {"add_numbers(a=1, b=2)"}]'
        "<|python_end|>",
        calls=(weather(city="Zürich"), SUM),
    ),
    Case(
        "like/phi4_mini",
        "a list of calls",
        f"<|tool_call|>[{NAMED}]<|/tool_call|>",
        calls=(FULL,),
    ),
    Case(
        "like/olmo3",
        "calls in Python, one a line",
        'Looking.\n<function_calls>\nget_weather(city="Zürich", days=3, zip="01234", '
        "metric=true)\nadd_numbers(a=1, b=2)\n</function_calls>",
        content="Looking.",
        calls=(FULL, SUM),
    ),
    Case(
        "like/ernie4_5",
        "thinking, then a call",
        f"hm\n</think>\n\n<tool_call>\n{NAMED}\n</tool_call>",
        reasoning="hm",
        calls=(FULL,),
    ),
]

_CODE = 'if (a < b && c > d) {\n  return "<b>x</b>";\n}'
_SAVED_TEXTS = {
    "digits": "8001",
    "truth": "true",
    "nothing": "null",
    "braces": '{"a": 1}',
    "code": _CODE,
    "count": "7",
    "ratio": "0.5",
    "is_new": "false",
    "limit": "null",
    "either": "12",
    "place": '{"name": "8001", "at": [1, 2.5]}',
    "tags": '["a", "8001"]',
}
_SAVED = {
    "digits": "8001",
    "truth": "true",
    "nothing": "null",
    "braces": '{"a": 1}',
    "code": _CODE,
    "count": 7,
    "ratio": 0.5,
    "is_new": False,
    "limit": None,
    "either": 12,
    "place": {"name": "8001", "at": [1, 2.5]},
    "tags": ["a", "8001"],
}
_DECLARED = "declared types decide what a text means"
_M3_TEXTS = _SAVED_TEXTS | {
    "place": f"{_NS}<name>8001{_NS}</name>{_NS}<at>{_NS}<item>1{_NS}</item>"
    f"{_NS}<item>2.5{_NS}</item>{_NS}</at>",
    "tags": f"{_NS}<item>a{_NS}</item>{_NS}<item>8001{_NS}</item>",
}


def _typed(family: str, writes: str) -> Case:
    return Case(family, _DECLARED, writes, calls=(("save", _SAVED),), tools=(SAVE, ADD))


TYPED = [
    _typed("Qwen3-Coder", coder("save", _SAVED_TEXTS)),
    _typed("ByteDance-Seed-OSS", seed("save", _SAVED_TEXTS)),
    _typed("GLM-4.6", glm("save", _SAVED_TEXTS)),
    _typed("tencent-Hy3", hunyuan("save", _SAVED_TEXTS)),
    _typed("MiniMax-M2", f"</think>\n\n{minimax('save', _SAVED_TEXTS)}"),
    _typed("MiniMax-M3", minimax_3("save", _M3_TEXTS)),
    _typed("openbmb-MiniCPM5-1B", f"</think>{minicpm('save', _SAVED_TEXTS)}"),
    _typed("deepseek-ai-DeepSeek-V3.2", f"</think>{dsml('save', _SAVED_TEXTS)}"),
    _typed(
        "Kimi-K3",
        "<|close|>think<|sep|><|open|>response<|sep|><|close|>response<|sep|>"
        + kimi_3("save", _SAVED_TEXTS),
    ),
]

_LLAMA, _LLAMA_LIST = (
    "meta-llama-Llama-3.1-8B-Instruct",
    "meta-llama-Llama-3.2-3B-Instruct",
)
_UNKNOWN = '{"name": "get_wether", "parameters": {"city": "Zürich"}}'
_LACKING = '{"name": "get_weather", "parameters": {"days": 3}}'
_WRONG = '{"name": "get_weather", "parameters": {"city": "Zürich", "days": "soon"}}'
_FENCED = f"```json\n{NAMED}\n```"

SLIPS = [
    # --- mended
    Case(
        _LLAMA,
        "a trailing comma",
        '{"name": "get_weather", "parameters": {"city": "Zürich", "days": 3,}}',
        calls=(weather(city="Zürich", days=3),),
    ),
    Case(
        _LLAMA,
        "Python's literals",
        "{'name': 'get_weather', 'parameters': {'city': 'Zürich', 'metric': True, "
        "'opts': {'a': None}}}",
        calls=(weather(city="Zürich", metric=True, opts={"a": None}),),
    ),
    Case(
        _LLAMA,
        "a code fence",
        f'```json\n{{"name": "get_weather", "parameters": {JSON}}}\n```',
        calls=(FULL,),
    ),
    Case(
        "deepseek-ai-DeepSeek-V3.1",
        "an unneeded code fence",
        f"hm</think>{deepseek_31(('get_weather', f'```json{chr(10)}{JSON}{chr(10)}```'))}",
        reasoning="hm",
        calls=(FULL,),
    ),
    # --- no calls: text, with a warning
    Case(_LLAMA, "an unknown function", _UNKNOWN, content=_UNKNOWN, warns="call"),
    Case(
        _LLAMA,
        "a required argument is missing",
        _LACKING,
        content=_LACKING,
        warns="city",
    ),
    Case(_LLAMA, "a value of another type", _WRONG, content=_WRONG, warns="days"),
    Case(
        _LLAMA_LIST,
        "an unknown function in Python",
        '[get_wether(city="Zürich")]',
        content='[get_wether(city="Zürich")]',
        warns="call",
    ),
    # --- prose
    Case(
        _LLAMA,
        "JSON in prose",
        f"Send {_UNKNOWN} and wait.",
        content=f"Send {_UNKNOWN} and wait.",
    ),
    Case(
        _LLAMA_LIST,
        "a list that is none of calls",
        "[1] is a footnote, [2] another.",
        content="[1] is a footnote, [2] another.",
    ),
    Case(
        "Qwen3-Coder",
        "a tag in prose",
        "Write `<function=` and `</function>` around it.",
        content="Write `<function=` and `</function>` around it.",
    ),
    Case(
        "openbmb-MiniCPM5-1B",
        "a tag in prose",
        "hm</think>A `<function name=...>` element calls.",
        reasoning="hm",
        content="A `<function name=...>` element calls.",
    ),
    Case(
        "mistralai-Mistral-Nemo-Instruct-2407",
        "brackets in prose",
        "Use [INST-like] brackets, or [TOOL].",
        content="Use [INST-like] brackets, or [TOOL].",
    ),
    Case(
        "Qwen-Qwen3-0.6B",
        "a tag in prose without tools",
        "Models write `<tool_call>` and `</tool_call>`.",
        content="Models write `<tool_call>` and `</tool_call>`.",
        tools=(),
    ),
    # --- out of place
    Case(
        "NVIDIA-Nemotron-3-Nano-30B-A3B-BF16",
        "a call inside thinking that never ended",
        f"hm\n{coder('get_weather', TEXTS)}",
        reasoning="hm",
        calls=(FULL,),
    ),
    Case(
        "GLM-4.6",
        "a call inside thinking that never ended",
        f"<think>hm\n{glm('get_weather', TEXTS)}",
        reasoning="hm",
        calls=(FULL,),
    ),
    Case(
        "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B",
        "a call inside thinking that never ended",
        f"hm{deepseek_r1(_WEATHER)}",
        reasoning="hm",
        calls=(FULL,),
    ),
    # --- tools written in words
    Case(
        "google-gemma-2-2b-it",
        "as the words ask for it",
        f"Looking.\n<tool_call>{NAMED}</tool_call>",
        content="Looking.",
        calls=(FULL,),
        warns="words",
    ),
    Case(
        "google-gemma-2-2b-it",
        "in a code fence",
        f"<tool_call>\n{_FENCED}\n</tool_call>",
        calls=(FULL,),
    ),
    Case(
        "google-gemma-2-2b-it",
        "a trailing comma and Python's literals",
        "<tool_call>{'name': 'get_weather', 'arguments': {'city': 'Zürich', "
        "'metric': True,},}</tool_call>",
        calls=(weather(city="Zürich", metric=True),),
    ),
    Case(
        "google-gemma-2-2b-it",
        "an unknown function",
        '<tool_call>{"name": "get_wether", "arguments": {}}</tool_call>',
        content='<tool_call>{"name": "get_wether", "arguments": {}}</tool_call>',
        warns="call",
    ),
    Case(
        "like/words_llama",
        "in the model's own form",
        f'<|python_tag|>{{"name": "get_weather", "parameters": {JSON}}}',
        calls=(FULL,),
        warns="words",
    ),
]

MORE = [*FORMS, *TYPED, *SLIPS]

# --- one short answer of each form, to be cut everywhere

_SHORT = {"city": "Zürich", "days": 3}
_SHORT_TEXTS = {"city": "Zürich", "days": "3"}
_SHORT_JSON = json.dumps(_SHORT, ensure_ascii=False)
_SHORT_NAMED = f'{{"name": "get_weather", "arguments": {_SHORT_JSON}}}'
_PAIR = (("get_weather", _SHORT_JSON), _ADD)
_ADDED_TEXTS = {"a": "1", "b": "2"}
_PYTHON = '[get_weather(city="Zürich", days=3)]'


def _cut(
    family: str, writes: str, *calls: Call, content: str = "", reasoning: str = ""
) -> Case:
    told = calls or (weather(**_SHORT),)
    return Case(family, "short", writes, content, reasoning, calls=told)


_TWO = (weather(**_SHORT), SUM)
CUT = [
    _cut(
        "Qwen-Qwen3-0.6B",
        f"<think>\nhm\n</think>\n\n<tool_call>\n{_SHORT_NAMED}\n</tool_call>",
        reasoning="hm",
    ),
    _cut(
        "Qwen3-Coder",
        f"Looking.\n<tool_call>\n{coder_function('get_weather', _SHORT_TEXTS)}\n"
        f"{coder_function('add_numbers', _ADDED_TEXTS)}\n</tool_call>",
        *_TWO,
        content="Looking.",
    ),
    _cut(
        "GLM-4.6",
        f"<think>hm</think>\n{glm('get_weather', _SHORT_TEXTS)}",
        reasoning="hm",
    ),
    _cut(
        "MiniMax-M2",
        f"hm\n</think>\n\n{minimax('get_weather', _SHORT_TEXTS)}",
        reasoning="hm",
    ),
    _cut(
        "MiniMax-M3",
        f"<mm:think>hm</mm:think>Looking.{minimax_3('get_weather', _SHORT_TEXTS)}",
        content="Looking.",
        reasoning="hm",
    ),
    _cut(
        "Kimi-K3",
        f"{_K3_SAYS}{kimi_3('get_weather', _SHORT_TEXTS)}",
        content="Looking.",
        reasoning="hm",
    ),
    _cut("moonshotai-Kimi-K2", f"Looking.{kimi_2(*_PAIR)}", *_TWO, content="Looking."),
    _cut(
        "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B",
        f"hm</think>{deepseek_r1(*_PAIR)}",
        *_TWO,
        reasoning="hm",
    ),
    _cut(
        "deepseek-ai-DeepSeek-V3.1",
        f"hm</think>Looking.{deepseek_31(*_PAIR)}",
        *_TWO,
        content="Looking.",
        reasoning="hm",
    ),
    _cut(
        "deepseek-ai-DeepSeek-V3.2",
        f"hm</think>Looking.{dsml('get_weather', _SHORT_TEXTS)}",
        content="Looking.",
        reasoning="hm",
    ),
    _cut(
        "openai-gpt-oss-120b",
        f"<|channel|>analysis<|message|>hm{_NEXT}<|channel|>commentary<|message|>"
        f"Looking.{_NEXT}{harmony('get_weather', _SHORT_JSON)}",
        content="Looking.",
        reasoning="hm",
    ),
    _cut(_LLAMA, f'{{"name": "get_weather", "parameters": {_SHORT_JSON}}}'),
    _cut(_LLAMA_LIST, f"{_PYTHON[:-1]}, add_numbers(a=1, b=2)]", *_TWO),
    _cut(
        "mistralai-Mistral-Nemo-Instruct-2407",
        f"[TOOL_CALLS][{_SHORT_NAMED}, {ADDED}]",
        *_TWO,
    ),
    _cut(
        "unsloth-mistral-Devstral-Small-2507",
        f"Looking.[TOOL_CALLS]get_weather[CALL_ID]abcdefgh1[ARGS]{_SHORT_JSON}",
        content="Looking.",
    ),
    _cut(
        "mistralai-Ministral-3-14B-Reasoning-2512",
        f"[THINK]hm[/THINK]Looking.[TOOL_CALLS]get_weather[ARGS]{_SHORT_JSON}"
        f"[TOOL_CALLS]add_numbers[ARGS]{_ADD[1]}",
        *_TWO,
        content="Looking.",
        reasoning="hm",
    ),
    _cut(
        "google-gemma-4-31B-it",
        "<|channel>thought\nhm<channel|><|tool_call>call:get_weather{"
        'city:<|"|>Zürich<|"|>,days:3}<tool_call|>',
        reasoning="hm",
    ),
    _cut(
        "LFM2-8B-A1B",
        f"<|tool_call_start|>{_PYTHON}<|tool_call_end|>Checking.",
        content="Checking.",
    ),
    _cut("ibm-granite-granite-3.3-2B-Instruct", f"<|tool_call|>[{_SHORT_NAMED}]"),
    _cut(
        "CohereForAI-c4ai-command-r7b-12-2024-tool_use",
        "<|START_THINKING|>hm<|END_THINKING|><|START_ACTION|>[\n    "
        '{"tool_call_id": "0", "tool_name": "get_weather", '
        f'"parameters": {_SHORT_JSON}}}\n]<|END_ACTION|>',
        reasoning="hm",
    ),
    _cut(
        "NVIDIA-Nemotron-Nano-v2",
        f"hm</think>\n<TOOLCALL>[{_SHORT_NAMED}]</TOOLCALL>",
        reasoning="hm",
    ),
    _cut(
        "ByteDance-Seed-OSS",
        f"<seed:think>hm</seed:think>{seed('get_weather', _SHORT_TEXTS)}",
        reasoning="hm",
    ),
    _cut(
        "Apertus-8B-Instruct",
        "<|inner_prefix|>hm<|inner_suffix|><|tools_prefix|>"
        f'[{{"get_weather": {_SHORT_JSON}}}]<|tools_suffix|>',
        reasoning="hm",
    ),
    _cut(
        "openbmb-MiniCPM5-1B",
        f"hm</think>{minicpm('get_weather', _SHORT_TEXTS)}",
        reasoning="hm",
    ),
    _cut("tencent-Hy3", hunyuan("get_weather", _SHORT_TEXTS)),
    _cut(
        "google-gemma-2-2b-it",
        f"Looking.\n<tool_call>{_SHORT_NAMED}</tool_call>",
        content="Looking.",
    ),
]
