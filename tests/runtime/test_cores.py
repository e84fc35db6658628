"""Workers that compute at the same time share the cores; one alone has them all."""

from __future__ import annotations

import pytest

from inference.runtime.cores import CoreShare, threads_each


class Noting:
    """Stands in for a worker and keeps what it was told."""

    def __init__(self) -> None:
        self.told: list[int] = []

    def use_threads(self, count: int) -> None:
        self.told.append(count)


@pytest.mark.parametrize(
    ("cores", "workers", "threads"),
    [(1, 1, 1), (2, 1, 1), (2, 2, 1), (8, 1, 7), (8, 2, 3), (8, 20, 1)],
)
def test_a_core_is_left_to_the_rest_and_the_others_are_divided(
    cores: int, workers: int, threads: int
) -> None:
    assert threads_each(cores, workers) == threads


def test_one_that_computes_alone_keeps_what_it_began_with() -> None:
    share, worker = CoreShare(4), Noting()
    for _ in range(3):
        share.note(worker, computes=True)
        share.note(worker, computes=True)
        share.note(worker, computes=False)
    assert worker.told == []


def test_two_share_and_who_is_left_has_all_again() -> None:
    share, first, second = CoreShare(8), Noting(), Noting()
    share.note(first, computes=True)
    share.note(second, computes=True)
    assert (first.told, second.told) == ([3], [3])
    share.note(first, computes=False)
    assert (first.told, second.told) == ([3], [3, 7])
    # The next time it is told before it computes with more than its share.
    share.note(second, computes=False)
    share.note(first, computes=True)
    assert first.told == [3, 7]


def test_more_workers_than_cores_have_a_thread_each() -> None:
    share, workers = CoreShare(4), [Noting() for _ in range(5)]
    for worker in workers:
        share.note(worker, computes=True)
    assert [worker.told[-1] for worker in workers] == [1] * 5


def test_one_that_died_leaves_its_share_to_the_others() -> None:
    share, dead, other = CoreShare(4), Noting(), Noting()
    share.note(dead, computes=True)
    share.note(other, computes=True)
    share.forget(dead)
    assert other.told == [1, 3]
    assert dead.told == [1]
