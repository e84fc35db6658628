"""The steps of a first start, a line for each on stderr: what, and how long it took."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def step(words: str) -> Iterator[None]:
    """Say what is being done, and at its end how long it took."""
    began = time.monotonic()
    say(f"{words} ... ")
    try:
        yield
    except BaseException:
        say("failed\n")
        raise
    say(f"{elapsed(time.monotonic() - began)}\n")


def say(text: str) -> None:
    """Write to stderr at once, as it is."""
    sys.stderr.write(text)
    sys.stderr.flush()


def elapsed(seconds: float) -> str:
    """Write a duration as the steps tell it."""
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
