"""How many threads each worker multiplies with: those that compute share the cores.

A BLAS thread that waits for the others of its product spins, and with more of them
than cores it spins while the one that it waits for has no core. Measured with two
workers on two cores: two threads each take two to six times as long as one each.
"""

from __future__ import annotations

from typing import Protocol


class Sharer(Protocol):
    """A worker, as far as this goes."""

    def use_threads(self, count: int) -> None:
        """Multiply with so many threads from the next step on."""


class CoreShare:
    """Owns who computes just now. A worker begins with all cores to itself."""

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
        share = max(1, self._cores // max(1, len(self._computing)))
        for one in self._computing:
            if self._told.get(one, self._cores) != share:
                self._told[one] = share
                one.use_threads(share)

    def forget(self, worker: Sharer) -> None:
        """Know that a worker has ended."""
        self.note(worker, computes=False)
        self._told.pop(worker, None)
