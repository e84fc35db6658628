"""The engine's loop with a draft: what a client reads is what it read without."""

from __future__ import annotations

import socket
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from inference.core.frames import (
    CancelSequence,
    Decode,
    FrameReader,
    Heartbeat,
    PreparePrompt,
    PromptPrepared,
    Purge,
    SequenceDelta,
    StepReport,
)
from inference.core.requests import ChatMessage, ChatPrompt, SamplingSpec, TextPart
from inference.engine.answers.sender import Sender
from inference.engine.answers.texts import AnswerTexts
from inference.engine.loading.text_model import TextModel, load_text_model
from inference.engine.speculation.draft_model import DraftModel, load_draft
from inference.engine.speculation.drafting import Speculator
from inference.engine.worker.loop import EngineConfig, EngineLoop, StopHit
from inference.engine.worker.prompts import PromptPreparer
from tests.engine.drafts import Machine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COUNT = "Count to twenty."
GREEDY = SamplingSpec(temperature=0.0, max_tokens=200)


@pytest.fixture(scope="module")
def text(tiny_model_dir: Path) -> TextModel:
    return load_text_model(tiny_model_dir)


@pytest.fixture(scope="module")
def draft(text: TextModel, tiny_model_dir: Path) -> DraftModel:
    return load_draft(tiny_model_dir, text)


class Engine:
    """A loop that is turned by hand, and the web's end of its socket."""

    def __init__(self, text: TextModel, draft: DraftModel | None) -> None:
        self.ours, self._theirs = socket.socketpair()
        self.machine = Machine(draft_s=0.01)
        model = self.machine.paced(text.model)
        text = replace(text, model=model, caches=replace(text.caches, model=model))
        self._sender = Sender(
            self._theirs, on_stop=lambda number: self.loop.post(StopHit(number))
        )
        self._sender.start()
        self._preparer = PromptPreparer(text, self._sender)
        self.loop = EngineLoop(
            text,
            self._sender,
            self._preparer,
            AnswerTexts(text.tokenizer, text.formats, text.words),
            EngineConfig(
                max_rows=4,
                speculation=draft
                and Speculator(model, self.machine.paced_draft(draft)),
            ),
        )
        self._reader = FrameReader.for_reports()
        self._reports: list[Any] = []
        self.deltas: dict[int, SequenceDelta] = {}
        self._asked = 0

    def close(self) -> None:
        self._sender.finish()
        self._theirs.close()
        self.ours.close()

    def ask(self, prompt: str, spec: SamplingSpec) -> int:
        """Post a request whose prompt has been prepared."""
        self._asked += 1
        message = ChatMessage("user", (TextPart(prompt),))
        self._preparer.submit(PreparePrompt(self._asked, ChatPrompt((message,))))
        while not isinstance(self._next_report(), PromptPrepared):
            pass
        self.loop.post(Decode((self._asked,), self._asked, spec))
        return self._asked

    def turn(self) -> None:
        """Turn the loop once and read all that it had sent before."""
        self.loop.post(Purge())
        self.loop.turn()
        while True:
            match self._next_report():
                case StepReport(deltas=deltas):
                    self._take(deltas)
                case Heartbeat(is_purged=True):
                    return

    def answer(self, number: int) -> SequenceDelta:
        """Turn the loop until a request is answered; return all of its deltas as one."""
        while number not in self.deltas or not self.deltas[number].finish:
            self.turn()
        return self.deltas[number]

    def _take(self, deltas: tuple[SequenceDelta, ...]) -> None:
        for delta in deltas:
            earlier = self.deltas.get(delta.sequence_id)
            assert earlier is None or not earlier.finish
            self.deltas[delta.sequence_id] = (
                delta if earlier is None else earlier.followed_by(delta)
            )

    def _next_report(self) -> Any:
        while not self._reports:
            self._reports = self._reader.feed(self.ours.recv(65536))
        return self._reports.pop(0)


@pytest.fixture
def drafting(text: TextModel, draft: DraftModel) -> Iterator[Engine]:
    with closing(Engine(text, draft)) as engine:
        yield engine


@pytest.fixture
def plain(text: TextModel) -> Iterator[Engine]:
    with closing(Engine(text, None)) as engine:
        yield engine


def changed(**options: Any) -> SamplingSpec:
    return SamplingSpec(**{"temperature": 0.0, "max_tokens": 200} | options)


@pytest.mark.parametrize(
    ("spec", "finish"),
    [
        (GREEDY, "stop"),
        (changed(max_tokens=15), "length"),
        (changed(max_tokens=16), "length"),
        (changed(stop=("eleven",)), "stop"),
        (changed(temperature=1.3, seed=4), "stop"),
        (changed(ignore_eos=True, max_tokens=90), "length"),
        (changed(ignore_eos=True, stop_token_ids=(699,)), "stop"),
    ],
)
def test_it_ends_an_answer_in_the_middle_of_what_was_drafted(
    drafting: Engine, plain: Engine, spec: SamplingSpec, finish: str
) -> None:
    answers = [engine.answer(engine.ask(COUNT, spec)) for engine in (drafting, plain)]
    assert answers[0] == answers[1]
    assert answers[0].finish == finish
    assert len(drafting.machine.model) < answers[0].completion_tokens


def test_it_goes_on_with_the_next_request_after_one_that_was_cancelled(
    drafting: Engine, plain: Engine
) -> None:
    long = changed(ignore_eos=True, max_tokens=1000)
    first = drafting.ask(COUNT, long)
    while first not in drafting.deltas or drafting.deltas[first].tokens < 30:
        drafting.turn()
    drafting.loop.post(CancelSequence(first))
    assert drafting.answer(first).finish == "cancelled"
    second = drafting.ask(COUNT, GREEDY)
    said = drafting.answer(second)
    wanted = plain.answer(plain.ask(COUNT, GREEDY))
    assert (said.text, said.finish) == (wanted.text, wanted.finish)


def test_it_answers_two_at_once_as_each_alone(drafting: Engine, plain: Engine) -> None:
    first = drafting.ask(COUNT, GREEDY)
    while first not in drafting.deltas or drafting.deltas[first].tokens < 15:
        drafting.turn()
    second = drafting.ask("Answer in JSON.", GREEDY)
    texts = [drafting.answer(number).text for number in (first, second)]
    assert texts == [
        plain.answer(plain.ask(prompt, GREEDY)).text
        for prompt in (COUNT, "Answer in JSON.")
    ]
