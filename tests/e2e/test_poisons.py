"""Grammars that ended the server once: refused, and nobody else is moved."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import openai
import pytest
from tokenizers import Tokenizer

from tests.e2e.servers import wait_until
from tests.structure.poisons import (
    AMBIGUOUS,
    HIDDEN,
    LARKS,
    REGEXES,
    SCHEMAS,
    chained,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import StartServer
    from tests.e2e.servers import Server

pytestmark = pytest.mark.slow

HELLO = [{"role": "user", "content": "Hello"}]


def tool(schema: dict[str, Any]) -> dict[str, Any]:
    function = {"name": "f", "parameters": schema}
    return {"tools": [{"type": "function", "function": function}]}


def form(schema: dict[str, Any]) -> dict[str, Any]:
    named = {"name": "it", "schema": schema}
    return {"response_format": {"type": "json_schema", "json_schema": named}}


POISONS = [
    *((form(schema), "response_format.json_schema.schema") for schema in SCHEMAS),
    (tool(chained(1100)) | {"tool_choice": "required"}, "tools[0].function.parameters"),
    (form(HIDDEN), "response_format.json_schema.schema"),
    (tool(HIDDEN), "tools[0].function.parameters"),
    *(({"extra_body": {"guided_grammar": lark}}, "guided_grammar") for lark in LARKS),
    *(({"extra_body": {"guided_regex": regex}}, "guided_regex") for regex in REGEXES),
]


def ask(server: Server, **options: Any) -> Any:
    model = server.get("/v1/models")["data"][0]["id"]
    return server.client().chat.completions.create(
        **{"model": model, "messages": HELLO, "max_tokens": 3, **options}
    )


def test_poisons_are_refused_by_name_while_others_are_answered(
    start_server: StartServer, rambler_dir: Path
) -> None:
    server = start_server(rambler_dir).wait_ready()
    workers = server.worker_pids()
    other = ask(server, stream=True, max_tokens=100_000, temperature=0)
    next(other)
    for options, param in POISONS * 2:
        with pytest.raises(openai.BadRequestError) as refused:
            ask(server, **options)
        assert refused.value.param == param
        assert "<state>" not in refused.value.message
        assert next(other).choices
    other.close()
    server.wait_idle()
    assert server.process.poll() is None
    assert server.worker_pids() == workers
    server.count_rows()
    rows = [row for row in server.rows().values() if row["error_param"]]
    assert len(rows) == 2 * len(POISONS)
    assert {row["outcome"] for row in rows} == {"invalid"}
    assert all(row["error"] for row in rows)
    # Those that pass the bounds end their checker once, not twice.
    died = [e for e in server.events() if e["kind"] == "checker_died"]
    assert len(died) == 2
    assert "req-" in died[0]["detail"]


def test_a_killed_checker_is_replaced(
    start_server: StartServer, tiny_model_dir: Path
) -> None:
    server = start_server(tiny_model_dir).wait_ready()
    assert not server.checker_pids()
    ask(server, extra_body={"guided_regex": "a{3}"})
    (checker,) = server.checker_pids()
    os.kill(checker, signal.SIGKILL)
    answer = ask(server, max_tokens=9, extra_body={"guided_regex": "b{3}"})
    assert answer.choices[0].message.content == "bbb"
    wait_until(lambda: checker not in server.checker_pids(), "the killed one's end")
    assert ask(server).choices
    checkers = server.checker_pids()
    assert server.stop() == 0
    for pid in checkers:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_an_answer_whose_grammar_becomes_too_much_work_ends_with_that_reason(
    tiny_server: Server, tiny_model_dir: Path
) -> None:
    server = tiny_server
    before = server.count_rows()
    letter = Tokenizer.from_file(str(tiny_model_dir / "tokenizer.json"))
    bias = {str(letter.token_to_id("a")): 100}
    with pytest.raises(openai.BadRequestError) as ended:
        ask(
            server,
            max_tokens=3000,
            logit_bias=bias,
            extra_body={"guided_grammar": AMBIGUOUS},
        )
    assert ended.value.code == "grammar_exhausted"
    assert "items" not in ended.value.message
    (row,) = list(server.wait_rows(before + 1).values())[before:]
    assert (row["outcome"], row["reason"]) == ("invalid", "grammar_exhausted")
    assert row["phase"] == "decode"
    assert ask(server).choices
