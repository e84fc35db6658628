"""What waits for a slow reader is merged, bounded, and never lost."""

from __future__ import annotations

import pytest

from inference.core.errors import ClientTooSlowError, WorkerDiedError
from inference.core.frames import SequenceDelta
from inference.runtime.streams import TokenStream


def stream_of(limit_bytes: int = 1000) -> TokenStream:
    return TokenStream(1, limit_bytes=limit_bytes)


async def test_it_merges_what_waits_into_one_delta() -> None:
    stream = stream_of()
    stream.push(SequenceDelta(1, "one ", 1, completion_tokens=1))
    stream.push(SequenceDelta(1, "two", 1, completion_tokens=2))
    assert await stream.take() == [SequenceDelta(1, "one two", 2, completion_tokens=2)]


async def test_it_says_once_of_each_sequence_that_it_has_left() -> None:
    gone: list[int] = []
    stream = TokenStream(1, 2, 3, limit_bytes=1000)
    stream.push(SequenceDelta(3, "", 0, finish="stop"))
    stream.when_left(gone.append)
    assert gone == [1]
    stream.push(SequenceDelta(1, "", 0, finish="length"))
    assert stream.in_batch == (2,)
    stream.leave()
    stream.leave()
    assert gone == [1, 1, 1]
    assert stream.has_left


async def test_it_keeps_the_sequences_of_one_request_apart() -> None:
    stream = TokenStream(7, 8, limit_bytes=1000)
    for sequence_id, text in [(7, "a"), (8, "x"), (7, "b")]:
        stream.push(SequenceDelta(sequence_id, text, 1))
    taken = await stream.take()
    assert {stream.choice_of(d.sequence_id): d.text for d in taken} == {0: "ab", 1: "x"}


async def test_it_hands_out_what_came_before_an_error() -> None:
    stream = stream_of()
    stream.push(SequenceDelta(1, "last words", 2))
    stream.fail(WorkerDiedError("gone"))
    assert (await stream.take())[0].text == "last words"
    with pytest.raises(WorkerDiedError):
        await stream.take()


async def test_it_gives_up_a_reader_that_lets_too_much_pile_up() -> None:
    stream = stream_of(limit_bytes=10)
    assert stream.push(SequenceDelta(1, "x" * 10, 1))
    assert not stream.push(SequenceDelta(1, "y", 1))
    await stream.take()
    with pytest.raises(ClientTooSlowError):
        await stream.take()


async def test_it_takes_nothing_in_after_it_failed() -> None:
    stream = stream_of()
    stream.push(SequenceDelta(1, "before", 1))
    stream.fail(WorkerDiedError("gone"))
    stream.push(SequenceDelta(1, "after", 1, finish="cancelled"))
    assert (await stream.take())[0].text == "before"
    assert stream.has_left
    with pytest.raises(WorkerDiedError):
        await stream.take()
