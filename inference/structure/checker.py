"""The process that checks grammars: `python -m inference.structure.checker`.

Jobs come on its standard input, reports go to its standard output, each with its
length before it. It is bounded from within: the stack of the thread that checks,
its memory, and the processor's time for each job. Over a bound it dies, by a signal
that says which (`SIGPROF`: time), and whoever sent the job knows by which it died.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from inference.core.child_processes import bound_this_process, peak_bytes
from inference.core.limits import KIB, MIB
from inference.structure.fitted import judge_fit
from inference.structure.jobs import Checking, FitJob, Job, Ready
from inference.structure.limits import CHECK_STACK_BYTES
from inference.structure.verdicts import judge

if TYPE_CHECKING:
    from inference.structure.jobs import Report

JOB_CPU_S = 2.0
ADDRESSES_BYTES = 2048 * MIB
# One that has needed more is followed by a fresh process.
SPENT_BYTES = 512 * MIB
# Verdicts are kept by the thousand, but for those that are larger.
KEPT_BYTES = 64 * KIB
_LENGTH_BYTES = 4


class Checker:
    """Reads jobs and answers them, one after the other."""

    def __init__(self, jobs: BinaryIO, reports: BinaryIO) -> None:
        self._jobs = jobs
        self._reports = reports
        self._decoder = msgspec.msgpack.Decoder(Job)

    def serve(self) -> None:
        """Answer until nobody sends any more."""
        self._send(Ready())
        while head := self._jobs.read(_LENGTH_BYTES):
            body = self._jobs.read(int.from_bytes(head, "big"))
            signal.setitimer(signal.ITIMER_PROF, JOB_CPU_S)
            report = self._answer(self._decoder.decode(body))
            signal.setitimer(signal.ITIMER_PROF, 0)
            self._send(report)

    def _answer(self, job: Job) -> Report:
        if isinstance(job, FitJob):
            return judge_fit(job)
        verdict = judge(job, lambda param: self._send(Checking(param)))
        return msgspec.structs.replace(
            verdict,
            is_spent=peak_bytes() > SPENT_BYTES,
            is_large=len(to_bytes(verdict)) > KEPT_BYTES,
        )

    def _send(self, report: Report) -> None:
        self._reports.write(to_bytes(report))
        self._reports.flush()


def to_bytes(report: Report) -> bytes:
    """Return a report with its length before it."""
    return framed(msgspec.msgpack.encode(report))


def framed(body: bytes) -> bytes:
    """Return a body with its length before it."""
    return len(body).to_bytes(_LENGTH_BYTES, "big") + body


def main() -> int:
    """Serve until standard input ends."""
    bound_this_process(ADDRESSES_BYTES)
    threading.stack_size(CHECK_STACK_BYTES)
    reports = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints must not be taken for a report
    checker = Checker(sys.stdin.buffer, reports)
    # Its own stack is small; an overflow ends the whole process, as it should.
    thread = threading.Thread(target=checker.serve, name="checks")
    thread.start()
    thread.join()
    return 0


if __name__ == "__main__":
    sys.exit(main())
