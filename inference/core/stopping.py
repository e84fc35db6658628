"""Ending a request from outside the task that runs it: owns how that is done now.

A task that waits is woken by its timeout; a stream in mid-answer is told its
error. What the request does at present says how; where it does nothing that could
be ended, it meets the error at its next step, or at its end.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from inference.core.errors import InferenceError

T = TypeVar("T")


class Stopper:
    """One request's; `stop` counts once, and for good."""

    def __init__(self) -> None:
        self._error: InferenceError | None = None
        self._how: Callable[[InferenceError], None] | None = None

    def stop(self, error: InferenceError) -> None:
        """End what the request does now with `error`, and refuse its next step."""
        if self._error is None:
            self._error = error
            if self._how is not None:
                self._how(error)

    def raise_if_stopped(self) -> None:
        """Raise the error that the request was stopped with, if it was."""
        if self._error is not None:
            raise self._error

    @contextmanager
    def by(self, how: Callable[[InferenceError], None]) -> Iterator[None]:
        """Let `how(error)` end what happens inside.

        Raises:
            InferenceError: the request was stopped before.
        """
        self.raise_if_stopped()
        self._how = how
        try:
            yield
        finally:
            self._how = None

    async def step(self, work: Coroutine[Any, Any, T]) -> T:
        """Do what may take long, unless the request is stopped before or meanwhile.

        Raises:
            InferenceError: it was stopped; the work was cancelled.
        """
        if self._error is not None:
            work.close()
            raise self._error
        try:
            async with asyncio.timeout(None) as patience:
                with self.by(lambda _: patience.reschedule(0.0)):
                    return await work
        except TimeoutError:
            self.raise_if_stopped()
            raise
