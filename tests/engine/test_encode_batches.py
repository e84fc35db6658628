"""Which inputs run together: of like lengths, within bounds, and fair between requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from inference.engine.encoder.batches import (
    LIKE_TOKENS,
    SCORES_MOST,
    EncodeBatch,
    EncodeJob,
    JobQueue,
)
from inference.engine.encoder.inputs import TokenisedInput
from inference.engine.encoder.queue import EncodeQueue
from inference.engine.prefill.groups import PrefillPace

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from inference.core.frames import InputsEncoded
    from inference.engine.encoder.batches import Matrix


def job(number: int, *lengths: int) -> EncodeJob:
    return EncodeJob(number, [TokenisedInput([7] * length) for length in lengths])


def passes(queue: JobQueue, tokens: int) -> Iterator[EncodeBatch]:
    while (batch := queue.take(tokens)) is not None:
        yield batch


def test_every_input_runs_once_with_its_like_and_within_the_bound() -> None:
    queue = JobQueue()
    lengths = [(place * 37) % 200 + 1 for place in range(150)]
    queue.append(job(1, *lengths[:100]))
    queue.append(job(2, *lengths[100:]))
    seen = []
    for batch in passes(queue, 600):
        seen += [(each.prompt_id, place) for each, place in batch.rows]
        assert len(batch.rows) == 1 or len(batch.rows) * batch.width <= 600
        shortest, longest = min(batch.lengths), max(batch.lengths)
        assert longest == batch.width
        assert shortest >= longest - max(LIKE_TOKENS, longest // 4)
    assert len(seen) == len(set(seen)) == 150


def test_a_small_request_does_not_wait_for_a_large_one() -> None:
    queue = JobQueue()
    large = [job(number, *[100] * 500) for number in range(3)]
    for each in large:
        queue.append(each)
    for _ in range(9):
        queue.take(1000)
    queue.append(small := job(9, 10))
    owners = [queue.take(1000) for _ in range(4)]
    assert small in [each for b in owners if b for each, _ in b.rows]
    assert not small.waiting


def test_large_requests_get_the_same_though_small_ones_keep_coming() -> None:
    queue = JobQueue()
    one, other = job(1, *[100] * 200), job(2, *[100] * 200)
    queue.append(one)
    queue.append(other)
    for number in range(40):
        queue.append(job(10 + number, 20))
        queue.take(500)
    assert abs(one.served - other.served) <= 500
    assert min(one.served, other.served) >= 2500


def test_one_long_input_runs_alone() -> None:
    queue = JobQueue()
    queue.append(job(1, 5000, 5000))
    assert [len(batch.rows) for batch in passes(queue, 100_000)] == [1, 1]
    queue.append(job(2, *[512] * 100))
    batch = queue.take(1_000_000)
    assert batch is not None
    assert len(batch.rows) * 512**2 <= SCORES_MOST


def test_rows_are_filled_up_behind_and_told_apart() -> None:
    pair = EncodeJob(1, [TokenisedInput([2, 5, 3, 6, 3], second=3)])
    short = EncodeJob(2, [TokenisedInput([2, 3])])
    batch = EncodeBatch([(pair, 0), (short, 0)], 5)
    assert batch.tokens(padding=9).tolist() == [[2, 5, 3, 6, 3], [2, 3, 9, 9, 9]]
    assert batch.is_token().tolist() == [[1] * 5, [1, 1, 0, 0, 0]]
    assert batch.is_second().tolist() == [[0, 0, 0, 1, 1], [0] * 5]


class Model:
    """Computes a batch in two chunks: the length of each input, and its half."""

    has_unit_length = False
    error: Exception | None = None

    def chunks(self, batch: EncodeBatch, tokens: int) -> Iterator[Matrix | None]:
        yield None
        if self.error is not None:
            raise self.error
        lengths = np.array(batch.lengths, np.float32)
        yield np.stack((lengths, lengths / 2), axis=1)


def queue_of(model: Model) -> tuple[EncodeQueue, list[InputsEncoded]]:
    told: list[InputsEncoded] = []
    pace = PrefillPace(tokens_per_s=400.0)
    return EncodeQueue(model, pace=pace, tell=told.append), told


def test_values_come_back_in_the_order_of_inputs() -> None:
    queue, told = queue_of(Model())
    queue.append(job(1, 30, 5, 90, 6))
    while not told:
        queue.advance(target_s=0.25)
    found = np.frombuffer(told[0].values, "<f4").reshape(4, 2)
    assert found.tolist() == [[30, 15], [5, 2.5], [90, 45], [6, 3]]
    assert told[0].is_last
    assert not queue


def test_many_values_come_in_frames_of_a_bounded_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("inference.engine.encoder.queue.FRAME_BYTES", 16)
    queue, told = queue_of(Model())
    queue.append(job(1, *range(1, 6)))
    while not told:
        queue.advance(target_s=0.25)
    assert [len(each.values) for each in told] == [16, 16, 8]
    assert [each.is_last for each in told] == [False, False, True]


def test_who_was_dropped_is_not_computed_further() -> None:
    queue, told = queue_of(Model())
    queue.append(gone := job(1, 50))
    queue.advance(target_s=0.25)
    gone.is_dropped = True
    queue.append(job(2, 50))
    while not told:
        queue.advance(target_s=0.25)
    assert [each.prompt_id for each in told] == [2]


def test_a_pass_that_fails_is_told_and_the_next_one_goes_on() -> None:
    model = Model()
    model.error = RuntimeError("no memory")
    queue, told = queue_of(model)
    queue.append(job(1, 6))
    queue.append(job(2, 5))
    while not told:
        queue.advance(target_s=0.25)
    assert {each.prompt_id for each in told} == {1, 2}
    assert all("no memory" in each.message for each in told)
    model.error = None
    queue.append(job(3, 5))
    while len(told) < 3:
        queue.advance(target_s=0.25)
    assert told[-1].message == ""
