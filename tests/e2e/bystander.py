"""A client that reads one answer after the other while others do their worst."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.e2e.servers import Server


# Under a second on a quiet machine; a busy one adds what its other work takes. Without
# what these tests are about it was minutes.
LONGEST_GAP_S = 5.0


class Bystander:
    """Streams from a model from now on, answers of so many `tokens` each."""

    def __init__(self, server: Server, model: str, *, tokens: int) -> None:
        self._server, self._model, self._tokens = server, model, tokens
        self._ended = threading.Event()
        self._longest_gap_s = 0.0
        self._answers: list[tuple[str, int]] = []
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._begun.wait(60)

    def stop(self) -> float:
        """Read the present answer to its end; return the longest wait for a chunk.

        Each answer was whole.
        """
        self._ended.set()
        self._thread.join(120)
        assert self._answers
        assert set(self._answers) == {("length", self._tokens)}
        return self._longest_gap_s

    def _run(self) -> None:
        while not self._ended.is_set():
            self._answers.append(self._read())

    def _read(self) -> tuple[str, int]:
        """Return how an answer ended, and of how many tokens it was."""
        finish, count, last = "", 0, time.monotonic()
        for chunk in self._server.client(timeout=60).chat.completions.create(
            model=self._model,
            messages=[{"role": "user", "content": "Hello"}],
            temperature=0,
            max_tokens=self._tokens,
            stream=True,
            stream_options={"include_usage": True},
            extra_body={"ignore_eos": True},
        ):
            now = time.monotonic()
            last, self._longest_gap_s = now, max(self._longest_gap_s, now - last)
            self._begun.set()
            if chunk.choices and chunk.choices[0].finish_reason:
                finish = chunk.choices[0].finish_reason
            if chunk.usage is not None:
                count = chunk.usage.completion_tokens
        return finish, count
