"""Which inputs run through a model together: of like lengths, from all requests in turn."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from inference.engine.encoder.inputs import TokenisedInput

# Inputs that run together differ in length by no more than a quarter, or these.
LIKE_TOKENS = 8
# Scores of attention that one head has at a time: with 16 heads, 256 MB.
SCORES_MOST = 4 * 1024 * 1024

Matrix = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(slots=True, eq=False)
class EncodeJob:
    """One request's inputs; any thread may drop it.

    `waiting` are the places of inputs that are not encoded, the longest last. `served`
    is how many tokens it has had its turn with, from where the others were when it came.
    """

    prompt_id: int
    inputs: list[TokenisedInput]
    dimensions: int | None = None
    compares: bool = False
    is_dropped: bool = False
    served: int = 0
    waiting: list[int] = field(default_factory=list)
    done: int = 0
    _values: Matrix | None = None

    def __post_init__(self) -> None:
        places = range(len(self.inputs))
        self.waiting = sorted(places, key=self.length)

    def length(self, place: int) -> int:
        """Return how many tokens an input has."""
        return len(self.inputs[place].tokens)

    def take_one(self, *, least: int, most: int) -> int | None:
        """Return the place of the longest input of such a length, which is taken."""
        at = bisect_right(self.waiting, most, key=self.length) - 1
        if at < 0 or self.length(self.waiting[at]) < least:
            return None
        return self.waiting.pop(at)

    def put(self, place: int, values: Matrix) -> None:
        """Take what the model made of an input."""
        if self._values is None:
            self._values = np.zeros((len(self.inputs), len(values)), np.float32)
        self._values[place] = values
        self.done += 1

    @property
    def is_done(self) -> bool:
        """Whether every input is encoded."""
        return self.done == len(self.inputs)

    @property
    def values(self) -> Matrix:
        """What the model made of the inputs; all of them are done."""
        assert self._values is not None
        return self._values


@dataclass(frozen=True, slots=True)
class EncodeBatch:
    """Inputs that run together, each with its job and its place there."""

    rows: list[tuple[EncodeJob, int]]
    width: int

    @property
    def inputs(self) -> Iterator[TokenisedInput]:
        """The inputs, in the order of rows."""
        return (job.inputs[place] for job, place in self.rows)

    @property
    def lengths(self) -> list[int]:
        """How many tokens each row has."""
        return [job.length(place) for job, place in self.rows]

    def tokens(self, *, padding: int) -> np.ndarray[Any, Any]:
        """Return the rows' tokens, filled up behind."""
        found = np.full((len(self.rows), self.width), padding, np.int32)
        for row, each in enumerate(self.inputs):
            found[row, : len(each.tokens)] = each.tokens
        return found

    def is_token(self) -> np.ndarray[Any, Any]:
        """Return 1 where a row has a token, 0 where it was filled up."""
        lengths = np.array(self.lengths)[:, None]
        return (np.arange(self.width)[None, :] < lengths).astype(np.int32)

    def is_second(self) -> np.ndarray[Any, Any]:
        """Return 1 where a row has a token of a pair's second text, else 0."""
        found = np.zeros((len(self.rows), self.width), np.int32)
        for row, each in enumerate(self.inputs):
            if each.second is not None:
                found[row, each.second : len(each.tokens)] = 1
        return found


class JobQueue:
    """The requests whose inputs wait; each pass begins with who had least so far."""

    def __init__(self) -> None:
        self._jobs: list[EncodeJob] = []

    def __len__(self) -> int:
        return len(self._jobs)

    def append(self, job: EncodeJob) -> None:
        """Let a request's inputs wait. It is behind nobody, and ahead of nobody."""
        job.served = min((each.served for each in self._jobs), default=0)
        self._jobs.append(job)

    def take(self, tokens: int) -> EncodeBatch | None:
        """Return what runs next: up to `tokens` tokens, filled ones too, or one input."""
        self._let_go()
        if not self._jobs:
            return None
        self._jobs.sort(key=lambda job: job.served)
        first = self._jobs[0]
        width = first.length(first.waiting[-1])
        rows = _filled(self._jobs, width, most=_rows_most(width, tokens))
        for job, place in rows:
            job.served += job.length(place)
        self._let_go()
        return EncodeBatch(rows, width)

    def _let_go(self) -> None:
        """Forget who has nothing that waits any more, or waits no more itself."""
        self._jobs = [j for j in self._jobs if j.waiting and not j.is_dropped]


def _rows_most(width: int, tokens: int) -> int:
    return max(1, min(tokens // width, SCORES_MOST // width**2))


def _filled(
    jobs: Iterable[EncodeJob], width: int, *, most: int
) -> list[tuple[EncodeJob, int]]:
    """Take up to `most` inputs of about that length, of the first jobs first."""
    rows: list[tuple[EncodeJob, int]] = []
    least = width - max(LIKE_TOKENS, width // 4)
    for job in jobs:
        while len(rows) < most:
            place = job.take_one(least=least, most=width)
            if place is None:
                break
            rows.append((job, place))
    return rows
