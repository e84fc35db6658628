"""Tokens to frames: what may be shown, what is counted, what ends a sequence."""

from __future__ import annotations

import socket
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from inference.core.frames import FrameReader, SequenceDelta, StepReport
from inference.dialects.answers import AnswerParser
from inference.engine.answers.sender import Sender
from inference.engine.answers.texts import SequenceText
from inference.engine.loading.text_model import load_text_model
from inference.engine.sequences.sequence import Emission

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def tokenizer(tiny_model_dir: Path) -> Any:
    return load_text_model(tiny_model_dir).tokenizer


class Wire:
    """A sender with the other end of its socket."""

    def __init__(self) -> None:
        self.ours, theirs = socket.socketpair()
        self.stopped: list[int] = []
        self.sender = Sender(theirs, on_stop=self.stopped.append)
        self.sender.start()
        self._theirs = theirs

    def deltas(self) -> dict[int, SequenceDelta]:
        """Return all deltas of each sequence as one, once the sender has ended."""
        self.sender.finish()
        self._theirs.close()
        reader = FrameReader.for_reports()
        found: dict[int, SequenceDelta] = {}
        while data := self.ours.recv(65536):
            for report in reader.feed(data):
                assert isinstance(report, StepReport)
                for delta in report.deltas:
                    earlier = found.get(delta.sequence_id)
                    found[delta.sequence_id] = (
                        delta if earlier is None else earlier.followed_by(delta)
                    )
        return found


@pytest.fixture
def wire() -> Iterator[Wire]:
    wire = Wire()
    with closing(wire.ours):
        yield wire


def emit(wire: Wire, tokenizer: Any, text: str, *, stops: tuple[str, ...] = ()) -> None:
    """Send a text token by token, then its end token."""
    wire.sender.open_text(
        1, SequenceText(tokenizer.detokenizer, AnswerParser(stops=stops))
    )
    for token in tokenizer.encode(text, add_special_tokens=False):
        wire.sender.send([Emission(1, token)])
    wire.sender.send([Emission(1, tokenizer.eos_token_id, "stop", is_hidden=True)])


def test_it_sends_the_whole_text_and_counts_the_end_token(
    wire: Wire, tokenizer: Any
) -> None:
    text = "one two \u00e9t\u00e9 \u65e5\u672c \U0001f600!"
    emit(wire, tokenizer, text)
    tokens = len(tokenizer.encode(text, add_special_tokens=False))
    assert wire.deltas()[1] == SequenceDelta(
        1, text, tokens + 1, finish="stop", completion_tokens=tokens + 1
    )


def test_it_neither_shows_nor_counts_what_comes_after_a_stop_string(
    wire: Wire, tokenizer: Any
) -> None:
    emit(wire, tokenizer, "one two three four five", stops=("three",))
    delta = wire.deltas()[1]
    upto = len(tokenizer.encode("one two three", add_special_tokens=False))
    assert (delta.text, delta.finish) == ("one two ", "stop")
    assert delta.completion_tokens == delta.tokens == upto
    assert wire.stopped == [1]


def test_it_keeps_half_a_character_at_the_very_end_to_itself(
    wire: Wire, tokenizer: Any
) -> None:
    wire.sender.open_text(1, SequenceText(tokenizer.detokenizer, AnswerParser()))
    *whole, _half = tokenizer.encode("a\U0001f600", add_special_tokens=False)
    for token in whole[:-1]:
        wire.sender.send([Emission(1, token)])
    wire.sender.send([Emission(1, whole[-1], "length")])
    assert wire.deltas()[1].text == "a"


def test_it_says_that_a_cancelled_sequence_has_left(wire: Wire, tokenizer: Any) -> None:
    wire.sender.open_text(1, SequenceText(tokenizer.detokenizer, AnswerParser()))
    wire.sender.send([Emission(1, None, "cancelled")])
    assert wire.deltas()[1].finish == "cancelled"


def test_it_ends_only_the_sequence_whose_token_has_no_text(
    wire: Wire, tokenizer: Any
) -> None:
    class Broken:
        def add_token(self, token: int) -> None:
            raise IndexError(token)

    wire.sender.open_text(1, SequenceText(Broken(), AnswerParser()))
    wire.sender.open_text(2, SequenceText(tokenizer.detokenizer, AnswerParser()))
    (token, *_) = tokenizer.encode("one", add_special_tokens=False)
    wire.sender.send([Emission(1, token), Emission(2, token)])
    wire.sender.send([Emission(1, token), Emission(2, token, "length")])
    deltas = wire.deltas()
    assert deltas[1].finish == "failed"
    assert (deltas[2].finish, deltas[2].completion_tokens) == ("length", 2)
    assert wire.stopped == [1]


def test_half_a_character_ends_only_the_sequence_that_holds_it(
    wire: Wire, tokenizer: Any
) -> None:
    class Half:
        last_segment = "\ud800"

        def add_token(self, token: int) -> None:
            """Take it."""

    wire.sender.open_text(1, SequenceText(Half(), AnswerParser()))
    wire.sender.open_text(2, SequenceText(tokenizer.detokenizer, AnswerParser()))
    (token, *_) = tokenizer.encode("one", add_special_tokens=False)
    wire.sender.send([Emission(1, token), Emission(2, token)])
    wire.sender.send([Emission(2, token, "length")])
    deltas = wire.deltas()
    assert deltas[1].finish == "failed"
    assert (deltas[2].text, deltas[2].finish) == ("oneone", "length")
    assert wire.stopped == [1]
