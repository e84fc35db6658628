"""Grammars are checked in a process that may die of them; nobody else notices."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import pytest

from inference.core.errors import GrammarCheckError, InvalidRequestError
from inference.core.requests import Grammar, GrammarKind, Tool, ToolMode, ToolUse
from inference.runtime import checkers as module
from inference.runtime.checkers import POISONED_S, SUSPECT_S, Checkers
from inference.structure.jobs import FitJob
from tests.structure.poisons import HIDDEN, doubling

# Says that it is ready, that it has begun, and then what is put in.
PUPPET = """
import os, signal, struct, sys, msgspec
from inference.structure.checker import to_bytes
from inference.structure.jobs import Checking, Ready, Verdict
def say(report):
    sys.stdout.buffer.write(to_bytes(report)); sys.stdout.buffer.flush()
say(Ready())
while head := sys.stdin.buffer.read(4):
    sys.stdin.buffer.read(int.from_bytes(head, "big"))
    say(Checking("response_format"))
    {}
"""


class HandClock:
    """Moves only when told to."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now


class Desk:
    """Checkers with a clock to turn, and the events that they told."""

    def __init__(self, *command: str) -> None:
        self.clock = HandClock()
        self.events: list[str] = []
        options: dict[str, Any] = {"command": command} if command else {}
        self.checkers = Checkers(publish=self._hear, clock=self.clock, **options)

    def _hear(self, kind: str, **about: Any) -> None:
        self.events.append(f"{kind} {about['detail']}")

    async def refusal(
        self, grammar: Grammar | None, tools: ToolUse | None = None
    ) -> str:
        verdict = await self.checkers.judge(grammar, tools, request_id="req-1")
        with pytest.raises((InvalidRequestError, GrammarCheckError)) as refused:
            verdict.honour()
        return f"{refused.value.code} {refused.value.param}: {refused.value.message}"

    async def takes(self, regex: str) -> None:
        grammar = Grammar(GrammarKind.REGEX, regex, "guided_regex")
        verdict = await self.checkers.judge(grammar, None, request_id="req-2")
        verdict.honour()


def puppet(does: str) -> tuple[str, ...]:
    return (sys.executable, "-c", PUPPET.replace("{}", does))


def schema(value: Any) -> Grammar:
    return Grammar(GrammarKind.JSON_SCHEMA, json.dumps(value), "response_format")


async def test_a_grammar_that_overflows_the_stack_fails_alone_and_is_not_tried_again() -> (
    None
):
    desk = Desk()
    try:
        await desk.takes("a+")
        said = await desk.refusal(schema(HIDDEN))
        assert said.startswith("invalid_schema response_format: ")
        assert "too deep or too large" in said
        assert await desk.refusal(schema(HIDDEN)) == said
        assert len(desk.events) == 1
        assert "req-1: response_format" in desk.events[0]
        await desk.takes("b+")
        desk.clock.now = POISONED_S
        await desk.refusal(schema(HIDDEN))
        assert len(desk.events) == 2
    finally:
        await desk.checkers.stop()


async def test_it_names_the_tool_that_a_checker_died_of() -> None:
    desk = Desk()
    use = ToolUse((Tool("good", "", {}), Tool("bad", "", HIDDEN)))
    try:
        said = await desk.refusal(None, use)
        assert said.startswith("invalid_schema tools[1].function.parameters: ")
    finally:
        await desk.checkers.stop()


async def test_it_gives_a_reason_where_a_checker_is_killed_and_goes_on() -> None:
    desk = Desk(*puppet("os.kill(os.getpid(), signal.SIGKILL)"))
    try:
        said = await desk.refusal(schema({}))
        assert said.startswith("grammar_check_failed response_format: ")
        await desk.refusal(schema({}))
        assert len(desk.events) == 1
        desk.clock.now = SUSPECT_S
        await desk.refusal(schema({}))
        assert len(desk.events) == 2
    finally:
        await desk.checkers.stop()


async def test_it_ends_a_checker_that_stands_still(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("inference.runtime.checker_process.CHECK_S", 0.2)
    desk = Desk(*puppet("signal.pause()"))
    try:
        assert "takes too long" in await desk.refusal(schema({}))
    finally:
        await desk.checkers.stop()


async def test_it_says_so_where_no_checker_can_be_started() -> None:
    for command in ((sys.executable, "-c", "pass"), ("/nowhere/to/be/found",)):
        desk = Desk(*command)
        with pytest.raises(GrammarCheckError):
            await desk.checkers.judge(schema({}), None, request_id="req-1")
        assert len(desk.events) == 1
        await desk.checkers.stop()


async def test_who_leaves_gives_the_place_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PROCESSES", 1)
    desk = Desk(*puppet("sys.stdin.buffer.read(1) and None; say(Verdict())"))
    checkers = desk.checkers
    first = asyncio.create_task(checkers.judge(schema({}), None, request_id="1"))
    for _ in range(1000):
        if checkers._running:
            break
        await asyncio.sleep(0.01)
    waiting = asyncio.create_task(
        checkers.judge(schema({"a": 1}), None, request_id="2")
    )
    await asyncio.sleep(0.05)
    for task in (first, waiting):
        task.cancel()
    await asyncio.gather(first, waiting, return_exceptions=True)
    assert len(checkers._running) == 1  # the one in its checker, bounded
    await checkers.stop()
    assert not checkers._running
    assert not checkers._places.locked()


async def test_it_gives_up_schemas_that_need_not_hold_and_refuses_those_that_must() -> (
    None
):
    desk = Desk()
    use = ToolUse((Tool("a", "x" * 99, {}), Tool("b", "", {"not": {}})))
    never = ToolUse((use.tools[1],), ToolMode.REQUIRED)
    try:
        verdict = await desk.checkers.judge(None, use, request_id="r")
        assert [bool(tool.enforced) for tool in verdict.apply(use).tools] == [
            False,
            True,
        ]
        assert verdict.apply(use).tools[0].description == "x" * 99
        assert verdict.warnings == ("tools[1]: not is not enforced",)
        assert "'not'" in await desk.refusal(None, never)
    finally:
        await desk.checkers.stop()


async def test_it_refuses_a_job_that_is_too_large() -> None:
    desk = Desk()
    fat = Tool("f", "", {"enum": ["x" * 200_000]})
    with pytest.raises(InvalidRequestError) as refused:
        await desk.checkers.judge(None, ToolUse((fat,) * 25), request_id="r")
    assert refused.value.param == "tools"


async def test_it_refuses_what_takes_too_long_by_the_processors_time() -> None:
    desk = Desk()
    grammar = Grammar(GrammarKind.LARK, doubling(17, "T"), "guided_grammar")
    try:
        assert (await desk.refusal(grammar)).startswith("invalid_grammar guided_gr")
        await desk.takes("c+")
    finally:
        await desk.checkers.stop()


UNIQUE = json.dumps({"type": "array", "uniqueItems": True})
SLOW = json.dumps({"pattern": "^(a+)+$"})
OUTSIDE = json.dumps({"not": {"$ref": "http://127.0.0.1:9/schema.json"}})


@pytest.mark.parametrize(
    ("source", "answer", "fitting", "why"),
    [
        (UNIQUE, "[1, 2]", "fits", ""),
        (UNIQUE, "[1, 1]", "does-not-fit", "uniqueItems"),
        (UNIQUE, "[1, ", "does-not-fit", "no JSON"),
        (SLOW, json.dumps("a" * 64 + "b"), "not-checked", "too long"),
        (OUTSIDE, "1", "not-checked", "Referenc"),
        (json.dumps({"pattern": "["}), '"x"', "not-checked", ""),
    ],
)
async def test_it_tells_whether_an_answer_fits_within_bounds(
    source: str, answer: str, fitting: str, why: str
) -> None:
    desk = Desk()
    try:
        fit = await desk.checkers.fit(FitJob((source,), ((0, answer),)))
        assert fit.fitting == fitting
        assert why in fit.why
        await desk.takes("d+")
    finally:
        await desk.checkers.stop()
