"""Answers cut at every token: no half call is ever handed out as a whole one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.e2e.family_server import ASK, Answer, FamilyServer, serving
from tests.families.cases import MORE, Case, met_cases

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

AT_ONCE = 32
# One answer of each form; the most that can be cut in it.
SAMPLES = {
    "qwen3 think+call",
    "qwen3coder two in one block",
    "glm typed",
    "minimax m2 typed",
    "MiniMax-M3: thinking, text, a call",
    "Kimi-K3: thinking, text, a call",
    "moonshotai-Kimi-K2: two calls",
    "deepseek r1/v3",
    "deepseek-ai-DeepSeek-V3.1: two calls",
    "deepseek-ai-DeepSeek-V3.2: text, then a call",
    "openai-gpt-oss-120b: a preamble for the user, then a call",
    "llama3.1 json",
    "meta-llama-Llama-3.2-3B-Instruct: two calls in Python",
    "mistralai-Mistral-Nemo-Instruct-2407: two calls",
    "unsloth-mistral-Devstral-Small-2507: two calls with ids",
    "mistralai-Ministral-3-14B-Reasoning-2512: thinking, text, a call",
    "gemma4 call",
    "lfm2",
    "granite3.3",
    "command r7b",
    "nemotron nano v2",
    "ByteDance-Seed-OSS: thinking, then a call",
    "apertus",
    "minicpm5",
    "tencent-Hy3: call",
    "google-gemma-2-2b-it: as the words ask for it",
}
CASES = [
    case
    for case in sorted([*met_cases(), *MORE], key=lambda case: case.family)
    if case.name in SAMPLES or str(case) in SAMPLES
]
# Their calls begin with what any text may begin with.
BARE = ("llama3.1 json", "two calls in Python")


@pytest.fixture(scope="module")
def families(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FamilyServer]:
    """A server that answers many at once."""
    many = ("--max-concurrency", str(AT_ONCE), "--queue-size", "1000")
    with serving(CASES, tmp_path_factory, *many) as server:
        yield server


def test_every_form_of_answer_is_cut() -> None:
    assert len(CASES) == len(SAMPLES)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_answer_that_is_cut_anywhere_holds_no_call_that_nobody_wrote(
    families: FamilyServer, case: Case
) -> None:
    made = families.models[case.family]
    body = families.body_for(case.family, case.name, ASK, **case.request)
    whole = families.ask(body)
    assert whole.read_calls == list(case.calls)
    tokens = made.tokens(case.writes)
    cuts = range(1, len(tokens))
    asked = [
        (body | {"max_tokens": cut}, stream) for cut in cuts for stream in (False, True)
    ]
    answers = families.ask_all(asked, at_once=AT_ONCE)
    for cut, answer, streamed in zip(cuts, answers[::2], answers[1::2], strict=True):
        written = made.tokenizer.decode(tokens[:cut], skip_special_tokens=False)
        where = f"cut after {written!r}"
        check_cut(answer, whole, case, written, where)
        assert streamed.content == answer.content, where
        assert streamed.reasoning == answer.reasoning, where
        assert streamed.calls == answer.calls, where
        assert streamed.finish_reason == answer.finish_reason, where


def check_cut(
    answer: Answer, whole: Answer, case: Case, written: str, where: str
) -> None:
    """Check what a client gets of an answer of which only `written` was written."""
    assert answer.finish_reason == "length", where
    assert whole.reasoning.startswith(answer.reasoning), where
    assert len(answer.calls) <= len(whole.calls), where
    for at, (name, arguments) in enumerate(answer.calls):
        expected_name, expected = whole.calls[at]
        assert name == expected_name, where
        assert expected.startswith(arguments), where
        assert arguments == expected or not is_json(arguments), where
        if at + 1 < len(answer.calls):
            assert arguments == expected, where
    if not whole.content.startswith(answer.content):
        # A call that was begun and cannot be told is text.
        assert answer.content.startswith(whole.content[: len(answer.content)]) or (
            written.endswith(answer.content)
        ), where
        named = case.calls[len(answer.calls)][0] in written
        assert named or case.name in BARE, where


def is_json(text: str) -> bool:
    """Whether a text is JSON."""
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
