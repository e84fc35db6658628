"""Answers cut at every token: no half call is ever handed out as a whole one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.e2e.family_server import ASK, Answer, FamilyServer, serving
from tests.families.cases import CUT, Case

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

AT_ONCE = 32
# Their calls begin as any text may.
BARE = ("meta-llama-Llama-3.1-8B-Instruct", "meta-llama-Llama-3.2-3B-Instruct")


@pytest.fixture(scope="module")
def families(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FamilyServer]:
    """A server that answers many at once."""
    many = ("--max-concurrency", str(AT_ONCE), "--queue-size", "1000")
    with serving(CUT, tmp_path_factory, *many) as server:
        yield server


@pytest.mark.parametrize("case", CUT, ids=str)
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
    assert len(answer.calls) <= len(whole.calls), where
    for at, (name, arguments) in enumerate(answer.calls):
        expected_name, expected = whole.calls[at]
        assert name == expected_name, where
        assert expected.startswith(arguments), where
        assert arguments == expected or not is_json(arguments), where
        is_last = at + 1 == len(answer.calls)
        assert arguments == expected or is_last, where
    check_text(answer.reasoning, whole.reasoning, answer, case, written, where)
    check_text(answer.content, whole.content, answer, case, written, where)


def check_text(
    shown: str, expected: str, answer: Answer, case: Case, written: str, where: str
) -> None:
    """Check that a text is as far as it came, or shows a call that was cut off.

    A lone `<` may be anything, so it is shown.
    """
    if expected.startswith(shown.removesuffix("<").rstrip()):
        return
    rest = shown.removeprefix(expected).strip()
    assert rest in written, f"{where}: {rest!r}"
    # Before a call names its function, its marks are nobody's business.
    unread = case.calls[len(answer.calls) :]
    named = bool(unread) and unread[0][0] in written
    assert named or case.family in BARE, f"{where}: {rest!r}"


def is_json(text: str) -> bool:
    """Whether a text is JSON."""
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
