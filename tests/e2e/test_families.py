"""Every family of models: what it writes is thinking, text and calls to a client.

Answers are cut at every token, too: no half call is ever handed out as a whole one.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.e2e.family_server import ASK, Answer, FamilyServer, serving
from tests.families.cases import CUT, MORE, Case, met_cases

if TYPE_CHECKING:
    from collections.abc import Iterator

CASES = [*met_cases(), *MORE]
AT_ONCE = 32
# Their calls begin as any text may.
BARE = ("meta-llama-Llama-3.1-8B-Instruct", "meta-llama-Llama-3.2-3B-Instruct")


# A family's tests follow each other (tests/longest_first.py): its model is loaded once.
@pytest.fixture(scope="module")
def families(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FamilyServer]:
    """A server of a model for each family that writes what its cases say."""
    many = ("--max-concurrency", str(AT_ONCE), "--queue-size", "1000")
    with serving([*CASES, *CUT], tmp_path_factory, *many) as server:
        yield server


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_a_family_writes_reaches_the_client_as_what_it_means(
    families: FamilyServer, case: Case
) -> None:
    body = families.body_for(case.family, case.name, ASK, **case.request)
    whole = families.ask(body)
    streamed = families.ask(body, stream=True)
    for answer in (whole, streamed):
        assert answer.reasoning == case.reasoning
        assert answer.content == case.content
        assert answer.read_calls == list(case.calls)
        assert answer.finish_reason == case.finish_reason
    assert streamed.calls == whole.calls
    if case.warns:
        assert case.warns in " ".join(families.warnings(whole))
        assert case.warns in " ".join(families.warnings(streamed))


@pytest.mark.slow
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
    faults = []
    for cut, answer, streamed in zip(cuts, answers[::2], answers[1::2], strict=True):
        written = made.tokenizer.decode(tokens[:cut], skip_special_tokens=False)
        found = [*faults_of(answer, whole, case, written)]
        if replace(streamed, request_id=answer.request_id) != answer:
            found.append(f"streamed it is {streamed}, else {answer}")
        faults += [f"cut after {written!r}: {fault}" for fault in found]
    assert not faults, "\n".join(faults)


def faults_of(answer: Answer, whole: Answer, case: Case, written: str) -> Iterator[str]:
    """Yield what a client must not get of an answer of which `written` was written."""
    if answer.finish_reason != "length":
        yield f"it ended because of {answer.finish_reason}"
    if len(answer.calls) > len(whole.calls):
        yield f"calls {answer.calls}"
        return
    for at, call in enumerate(answer.calls):
        expected_name, expected = whole.calls[at]
        name, arguments = call
        is_whole = arguments == expected
        is_begun = expected.startswith(arguments) and not is_json(arguments)
        is_last = at + 1 == len(answer.calls)
        if name != expected_name or not (is_whole or (is_begun and is_last)):
            yield f"a call {call}"
    unread = case.calls[len(answer.calls) :]
    may_show = case.family in BARE or (bool(unread) and unread[0][0] in written)
    for shown, expected in (
        (answer.reasoning, whole.reasoning),
        (answer.content, whole.content),
    ):
        # A lone bracket may be anything, so it is shown.
        if expected.startswith(shown.removesuffix("<").rstrip()):
            continue
        # A call that was cut off is text; before it names its function, its marks
        # are nobody's business.
        rest = shown.removeprefix(expected).strip()
        if not may_show or rest not in written:
            yield f"the text {rest!r}"


def is_json(text: str) -> bool:
    """Whether a text is JSON."""
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
