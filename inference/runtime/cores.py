"""How many threads each worker multiplies with: those that compute share the cores.

A BLAS thread spins while it waits for the others of its product; where the one that it
waits for has no core, it spins for whole time slices. So there is a thread less than
cores, because the web process, the client and the rest of the machine compute too, and
workers that compute at the same time divide them. `docs/benchmarks.md` has figures.
"""

from __future__ import annotations

from typing import Protocol


def threads_each(cores: int, workers: int = 1) -> int:
    """Return the threads that each of so many computing workers uses."""
    return max(1, (cores - 1) // max(1, workers))


class Sharer(Protocol):
    """A worker, as far as this goes."""

    def use_threads(self, count: int) -> None:
        """Multiply with so many threads from the next step on."""


class CoreShare:
    """Owns who computes just now. A worker begins as if it were alone."""

    def __init__(self, cores: int) -> None:
        self._cores = cores
        # The threads that each was told to use last.
        self._told: dict[Sharer, int] = {}
        self._computing: set[Sharer] = set()

    def note(self, worker: Sharer, *, computes: bool) -> None:
        """Know that a worker begins to compute, or has nothing to compute."""
        if computes == (worker in self._computing):
            return
        if computes:
            self._computing.add(worker)
        else:
            self._computing.discard(worker)
        share = threads_each(self._cores, len(self._computing))
        for one in self._computing:
            if self._told.get(one, threads_each(self._cores)) != share:
                self._told[one] = share
                one.use_threads(share)

    def forget(self, worker: Sharer) -> None:
        """Know that a worker has ended."""
        self.note(worker, computes=False)
        self._told.pop(worker, None)
