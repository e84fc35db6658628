"""Probes with a time limit, each in a daemon thread."""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from mlxsite.doctor.findings import wrong

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mlxsite.doctor.findings import Finding

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Probe:
    """One probe: its name, the seconds it may take, and how it is done."""

    name: str
    patience_s: float
    find: Callable[[], Sequence[Finding]]
    begun_at: float = field(default_factory=time.monotonic)


class ProbeAnswer(Generic[T]):
    """What a thread comes to: it begins at once, and may be asked more than once."""

    def __init__(self, ask: Callable[[], T]) -> None:
        self._ask = ask
        self._found: queue.Queue[tuple[T | None, Exception | None]] = queue.Queue(1)
        # A daemon: what hangs must not keep the process.
        threading.Thread(target=self._run, daemon=True).start()

    def within(self, patience_s: float) -> T:
        """Return the answer.

        Raises:
            TimeoutError: it did not come in time.
            Exception: whatever went wrong.
        """
        try:
            value, error = self._found.get(timeout=max(0.0, patience_s))
        except queue.Empty:
            raise TimeoutError from None
        self._found.put((value, error))
        if error is not None:
            raise error
        return value  # type: ignore[return-value]

    def _run(self) -> None:
        try:
            self._found.put((self._ask(), None))
        except Exception as error:  # noqa: BLE001 -- raised again where it is asked for
            self._found.put((None, error))


def all_found(probes: Sequence[Probe]) -> list[Finding]:
    """Run all probes at once; return what they found, in their order."""
    asked = [(probe, ProbeAnswer(probe.find)) for probe in probes]
    return [finding for probe, answer in asked for finding in _found(probe, answer)]


def _found(probe: Probe, answer: ProbeAnswer[Sequence[Finding]]) -> Sequence[Finding]:
    try:
        return answer.within(probe.begun_at + probe.patience_s - time.monotonic())
    except TimeoutError:
        advice = "Something there hangs: a disk, a network, or another program."
        return [wrong(probe.name, f"no answer within {probe.patience_s:g} s", advice)]
    except Exception as error:  # noqa: BLE001 -- a doctor tells what ails him
        words = " ".join(f"{type(error).__name__}: {error}".split())
        advice = "This is a mistake of the doctor's: please report it."
        return [wrong(probe.name, words, advice)]
