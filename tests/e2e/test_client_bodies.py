"""What clients send and nobody at the keyboard can change, through HTTP to real models.

Each line of the table in docs/compatibility.md names its test.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
import pytest

from tests.e2e.servers import PATIENCE_S, Server
from tests.pictures import ONE, data_url

if TYPE_CHECKING:
    from collections.abc import Iterator

CASES = Path(__file__).parent / "cases"
SEES, BLIND = "tiny-qwen2-vl", "blind"
MOST = 8
USER = {"role": "user", "content": "hi"}
CALLED = {
    "role": "assistant",
    "content": None,
    "tool_calls": [
        {"id": "", "type": "function", "function": {"name": "shot", "arguments": "{}"}}
    ],
}


class Answer(NamedTuple):
    """What came back, and the row it left."""

    reply: httpx.Response
    row: dict[str, Any]

    @property
    def message(self) -> dict[str, Any]:
        found: dict[str, Any] = self.reply.json()["choices"][0]["message"]
        return found

    @property
    def params(self) -> dict[str, Any]:
        return _parsed(self.row["params"])

    @property
    def warnings(self) -> list[str]:
        return _parsed(self.row["warnings"])


def _parsed(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


@pytest.fixture(scope="module")
def server(
    tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """The tiny model twice: as it is, and its text part alone."""
    data_dir = tmp_path_factory.mktemp("bodies") / "data"
    data_dir.mkdir()
    (data_dir / "models.toml").write_text(
        f'[models."{BLIND}"]\nsource = "{tiny_model_dir}"\nkind = "lm"\n'
    )
    options = ("--model-path", f"{BLIND}={tiny_model_dir}")
    server = Server(data_dir, tiny_model_dir, *options, DEFAULT_MAX_TOKENS=str(MOST))
    yield server.wait_ready()
    server.kill()


def ask(server: Server, model: str = SEES, *, status: int = 200, **body: Any) -> Answer:
    count = server.count_rows()
    asked = {"model": model, "messages": [USER], "temperature": 0, "max_tokens": 4}
    reply = httpx.post(
        f"{server.base_url}/v1/chat/completions",
        json=asked | body,
        timeout=PATIENCE_S,
    )
    assert reply.status_code == status, reply.text
    row = server.wait_rows(count + 1)[reply.headers["x-request-id"]]
    assert row["http_status"] == status
    return Answer(reply, row)


def case(name: str) -> dict[str, Any]:
    (path,) = CASES.glob(f"{name}-*.json")
    body: dict[str, Any] = json.loads(path.read_text())
    return body


def ignored(answer: Answer) -> list[str]:
    names: list[str] = answer.params.get("ignored", [])
    header = answer.reply.headers.get("x-ignored-params", "")
    assert header.split(",") == (names or [""])
    return names


@pytest.mark.parametrize("name", ["07", "08", "09", "10", "11", "13", "14"])
@pytest.mark.parametrize("model", [SEES, BLIND])
def test_the_cases_met_in_the_field_are_answered(
    server: Server, name: str, model: str
) -> None:
    assert ask(server, model, **case(name)).row["outcome"] == "finished"


def test_no_bound_of_the_clients_is_the_servers(server: Server) -> None:
    answer = ask(server, max_tokens=-1)
    assert answer.params["max_tokens"] == -1
    assert _parsed(answer.row["defaults"])["max_tokens"] == MOST


@pytest.mark.parametrize(
    ("sent", "tokens"), [({"max_tokens": 1.0}, 1), ({"max_tokens": "1"}, 1)]
)
def test_numbers_are_read_in_the_forms_that_clients_send(
    server: Server, sent: dict[str, Any], tokens: int
) -> None:
    answer = ask(server, temperature="0.0", top_p=0, **sent)
    assert answer.row["completion_tokens"] == tokens
    assert ignored(answer) == []


@pytest.mark.parametrize("content", [None, []])
def test_an_answer_that_was_broken_off_is_a_turn(server: Server, content: Any) -> None:
    ask(server, messages=[USER, {"role": "assistant", "content": content}, USER])


def test_stream_options_without_a_stream_are_ignored_by_name(server: Server) -> None:
    answer = ask(server, stream_options={"include_usage": True})
    assert ignored(answer) == ["stream_options"]


@pytest.mark.parametrize(
    "sent",
    [
        {"tools": []},
        {"tool_choice": "auto"},
        {"parallel_tool_calls": True},
        {"response_format": {"type": "text"}},
    ],
)
def test_what_says_nothing_is_taken(server: Server, sent: dict[str, Any]) -> None:
    assert ignored(ask(server, **sent)) == []


def test_results_go_by_the_older_role_too(server: Server) -> None:
    call = {"name": "f", "arguments": "{}"}
    asked = {"role": "assistant", "content": None, "function_call": call}
    told = {"role": "function", "name": "f", "content": "20"}
    ask(server, messages=[USER, asked, told])


IGNORED = {
    "verbosity": "low",
    "store": True,
    "safety_identifier": "s",
    "prompt_cache_key": "k",
    "prompt_cache_retention": "24h",
    "web_search_options": {},
    "modalities": ["text"],
}


def test_parameters_without_meaning_are_ignored_by_name(server: Server) -> None:
    assert ignored(ask(server, **IGNORED)) == list(IGNORED)
    known = {"user": "u", "metadata": {"a": "b"}, "service_tier": "auto"}
    assert ignored(ask(server, **known)) == []


def tool(name: str, **function: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, **function}}


def test_tools_of_other_types_are_ignored_beside_functions(server: Server) -> None:
    tools = [{"type": "web_search"}, tool("f"), {"type": "namespace", "tools": []}]
    answer = ask(server, tools=tools)
    assert ignored(answer) == ["tools[0].web_search", "tools[2].namespace"]


def test_a_function_of_any_name_is_called_by_it(server: Server) -> None:
    name = 'mcp::a/b "c"'
    answer = ask(server, tools=[tool(name)], tool_choice="required", max_tokens=60)
    (call,) = answer.message["tool_calls"]
    assert call["function"] == {"name": name, "arguments": "{}"}


def test_only_an_allowed_tool_is_called(server: Server) -> None:
    choice = {
        "type": "allowed_tools",
        "allowed_tools": {"mode": "required", "tools": [tool("g")]},
    }
    tools = [tool("f"), tool("g")]
    answer = ask(server, tools=tools, tool_choice=choice, max_tokens=60)
    assert [c["function"]["name"] for c in answer.message["tool_calls"]] == ["g"]


def shown(*parts: Any) -> list[dict[str, Any]]:
    return [USER, CALLED, {"role": "tool", "tool_call_id": "", "content": list(parts)}]


WORDS = {"type": "input_text", "text": ONE}


@pytest.mark.parametrize("colour", ["red", "green", "blue"])
def test_a_picture_that_a_tool_shows_is_seen(server: Server, colour: str) -> None:
    image = {"type": "input_image", "image_url": data_url(colour, 5)}
    answer = ask(server, messages=shown(image, WORDS), max_tokens=40)
    assert answer.row["images"] == 1
    assert answer.row["image_tokens"] > 0


def test_words_stand_for_it_where_the_model_does_not_see(server: Server) -> None:
    image = {"type": "image_url", "image_url": {"url": data_url("red", 5)}}
    answer = ask(server, BLIND, messages=shown(WORDS, image))
    (said, *_) = answer.warnings
    assert said == "messages[2].content[1]: left out, the model cannot see"
    words = [WORDS, {"type": "text", "text": "[image left out: this model cannot see]"}]
    same = ask(server, BLIND, messages=shown(*words))
    assert answer.row["prompt_tokens"] == same.row["prompt_tokens"]


def test_words_stand_for_files_that_tools_give(server: Server) -> None:
    answer = ask(server, messages=shown(WORDS, {"type": "file", "file": {}}))
    assert ignored(answer) == ["messages[].content[].file"]


UNIQUE = {"type": "array", "items": {"enum": [1]}, "minItems": 1, "uniqueItems": True}


def formed(field: dict[str, Any]) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"v": field}, "required": ["v"]}
    within = {"name": "n", "schema": schema, "strict": True}
    return {"type": "json_schema", "json_schema": within}


@pytest.mark.parametrize(
    ("field", "check"),
    [
        ({**UNIQUE, "maxItems": 1}, "fits"),
        ({**UNIQUE, "minItems": 2, "maxItems": 2}, "does-not-fit"),
    ],
)
def test_what_no_grammar_can_hold_is_checked_afterwards(
    server: Server, field: dict[str, Any], check: str
) -> None:
    answer = ask(server, response_format=formed(field), max_tokens=60)
    assert json.loads(answer.message["content"])["v"][0] == 1
    assert answer.reply.headers["x-schema-check"] == check
    param = "response_format.json_schema.schema"
    assert answer.warnings[0] == f"{param}: uniqueItems is not enforced"
    assert answer.warnings[1].startswith(f"schema check: {check}")


def test_of_a_stream_the_row_says_whether_it_fits(server: Server) -> None:
    form = formed({**UNIQUE, "maxItems": 1})
    answer = ask(server, response_format=form, max_tokens=60, stream=True)
    assert answer.reply.text.endswith("data: [DONE]\n\n")
    assert "x-schema-check" not in answer.reply.headers
    assert answer.warnings[-1] == "schema check: fits"


def test_a_schema_that_is_enforced_is_not_checked_again(server: Server) -> None:
    answer = ask(server, response_format=formed({"enum": [1]}), max_tokens=60)
    assert "x-schema-check" not in answer.reply.headers
    assert answer.warnings == []


def test_a_schema_of_pydantics_is_answered(server: Server) -> None:
    answer = ask(server, **case("13"))
    assert answer.reply.headers["x-schema-check"] in ("fits", "does-not-fit")
    assert "pattern is not enforced" in answer.warnings[0]


def test_one_odd_tool_never_refuses_the_whole_request(server: Server) -> None:
    field = {**UNIQUE, "maxItems": 1}
    odd = {"type": "object", "properties": {"v": field}, "required": ["v"]}
    tools = [
        tool("odd", parameters=odd, strict=True),
        tool("hopeless", parameters={"type": "string"}, strict=True),
    ]
    ask(server, tools=tools)
    answer = ask(server, tools=tools[:1], tool_choice="required", max_tokens=60)
    (call,) = answer.message["tool_calls"]
    assert json.loads(call["function"]["arguments"]) == {"v": [1]}
    assert answer.reply.headers["x-schema-check"] == "fits"
    assert answer.warnings[0] == "tools[0]: uniqueItems is not enforced"
    assert answer.warnings[-1] == "schema check: fits"


def test_the_fingerprint_names_server_and_model(server: Server) -> None:
    print_ = ask(server).reply.json()["system_fingerprint"]
    assert print_.startswith("mlx-server-")
    assert print_.endswith(SEES)


IMAGE = {"type": "image_url", "image_url": {"url": data_url("red", 5)}}


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({"messages": [{"role": "user", "content": [IMAGE]}]}, "vision_not_supported"),
        (
            {"messages": [{"role": "user", "content": [{"type": "file"}]}]},
            "unsupported_parameter",
        ),
        ({"messages": [{"role": "user", "content": None}]}, "missing_required"),
        ({"max_tokens": 0}, "integer_below_min_value"),
        ({"max_tokens": 1.5}, "invalid_type"),
        ({"max_tokens": "many"}, "invalid_type"),
        ({"temperature": True}, "invalid_type"),
        ({"stop": ["x"] * 65}, "array_above_max_length"),
        ({"tool_choice": "required"}, "invalid_value"),
        ({"tools": [{"type": "web_search"}]}, "invalid_value"),
        ({"tools": [tool("f")], "tool_choice": tool("g")}, "invalid_value"),
        ({"modalities": ["text", "audio"]}, "unsupported_parameter"),
        ({"audio": {"voice": "alloy"}}, "unsupported_parameter"),
        ({"moderation": {}}, "unsupported_parameter"),
        ({"functions": [{"name": "f"}]}, "unsupported_parameter"),
        ({"response_format": formed({"not": {}})}, "invalid_schema"),
        (
            {
                "response_format": formed(
                    {"type": "integer", "minimum": 2, "maximum": 1}
                )
            },
            "invalid_schema",
        ),
        (
            {
                "tools": [tool("f", parameters={"type": "string"})],
                "tool_choice": "required",
            },
            "invalid_schema",
        ),
    ],
)
def test_what_would_give_a_wrong_answer_is_refused(
    server: Server, sent: dict[str, Any], code: str
) -> None:
    answer = ask(server, BLIND, status=400, **sent)
    assert answer.reply.json()["error"]["code"].startswith(code)
    assert answer.row["reason"].startswith(code)
