"""The processes that check grammars: no request is compiled in this one.

A grammar that a checker dies of fails its own request, is told in an event, and is
not taken again for a while. Requests without grammars never come here.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inference.core.errors import GrammarCheckError, QueueTimeoutError
from inference.runtime.checker_process import CHECKER, CheckerDiedError, CheckerProcess
from inference.structure.jobs import (
    Fit,
    FitJob,
    Fitting,
    Verdict,
    refusal_code,
    to_fit_job,
    to_job,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference.core.requests import Grammar, ToolUse
    from inference.core.timing import Clock

logger = logging.getLogger("inference")

PROCESSES = 2
PLACE_S = 30.0
# An answer that is there already waits less.
FIT_PLACE_S = 5.0
KEPT = 1024
# How long a grammar that a checker died of is not tried again; one that may have
# been innocent, because somebody else ended the checker, comes free sooner.
POISONED_S = 600.0
SUSPECT_S = 30.0
_TRIES = 2


@dataclass(frozen=True, slots=True)
class _Question:
    """An encoded job, what it is known by, and who asks."""

    job: bytes
    key: bytes
    code: str
    param: str
    request_id: str


class Checkers:
    """Owns up to `PROCESSES` checkers, and the verdicts that are known.

    Lives on the event loop. The first is started when somebody needs it.
    """

    def __init__(
        self,
        *,
        publish: Callable[..., None],
        clock: Clock,
        command: tuple[str, ...] = CHECKER,
    ) -> None:
        self._publish = publish
        self._clock = clock
        self._command = command
        self._places = asyncio.Semaphore(PROCESSES)
        self._idle: list[CheckerProcess] = []
        self._running: set[asyncio.Task[Any]] = set()
        self._known: OrderedDict[bytes, tuple[Verdict, float]] = OrderedDict()

    async def judge(
        self, grammar: Grammar | None, tools: ToolUse | None, *, request_id: str
    ) -> Verdict:
        """Return the verdict on what a request asks of its answer's form.

        Raises:
            InvalidRequestError: it is too large to be checked.
            QueueTimeoutError: the checkers had no time for it.
            GrammarCheckError: no checker could be started.
        """
        question = await asyncio.to_thread(_question, grammar, tools, request_id)
        if known := self._recall(question.key):
            return known
        try:
            async with asyncio.timeout(PLACE_S):
                await self._places.acquire()
        except TimeoutError:
            raise QueueTimeoutError(
                "The grammar could not be checked in time: others are before it."
            ) from None
        # Whoever leaves meanwhile leaves a check of bounded length behind.
        task = asyncio.create_task(self._judge(question), name="grammar check")
        self._running.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    async def fit(self, job: FitJob) -> Fit:
        """Return whether answers fit their schemas, in bounded time."""
        encoded = to_fit_job(job)
        if encoded is None:
            return Fit(Fitting.UNCHECKED, "too large")
        try:
            async with asyncio.timeout(FIT_PLACE_S):
                await self._places.acquire()
        except TimeoutError:
            return Fit(Fitting.UNCHECKED, "others were before it")
        task = asyncio.create_task(self._fit(encoded), name="schema check")
        self._running.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    async def stop(self) -> None:
        """End all checkers."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        idle, self._idle = self._idle, []
        await asyncio.gather(*(checker.end() for checker in idle))

    async def _fit(self, job: bytes) -> Fit:
        try:
            checker = await self._checker()
            found = await checker.check(job)
        except CheckerDiedError as died:
            return Fit(Fitting.UNCHECKED, died.why)
        except OSError:
            return Fit(Fitting.UNCHECKED, "no checker could be started")
        self._idle.append(checker)
        assert isinstance(found, Fit)
        return found

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        self._places.release()
        if not task.cancelled():
            task.exception()  # told to who asked, if somebody still does

    async def _judge(self, question: _Question) -> Verdict:
        # Others may have asked the same meanwhile.
        verdict = self._recall(question.key)
        if verdict is None:
            verdict, until = await self._fresh(question)
            if not verdict.is_large:
                self._known[question.key] = (verdict, until)
            while len(self._known) > KEPT:
                self._known.popitem(last=False)
        return verdict

    async def _fresh(self, question: _Question) -> tuple[Verdict, float]:
        """Return a verdict and until when it holds."""
        for _ in range(_TRIES):
            try:
                checker = await self._checker()
                verdict = await checker.check(question.job)
                assert isinstance(verdict, Verdict)
            except (CheckerDiedError, OSError) as error:
                died = error
                if isinstance(error, CheckerDiedError) and error.param:
                    return self._verdict_of_death(error, question)
                continue
            if verdict.is_spent:
                await checker.end()
            else:
                self._idle.append(checker)
            return verdict, math.inf
        self._tell(question, f"no checker could be started: {died}")
        raise GrammarCheckError(
            "The grammar could not be checked.", param=question.param
        )

    async def _checker(self) -> CheckerProcess:
        while self._idle:
            checker = self._idle.pop()
            if checker.is_alive:
                return checker
        return await CheckerProcess.start(self._command)

    def _verdict_of_death(
        self, died: CheckerDiedError, question: _Question
    ) -> tuple[Verdict, float]:
        self._tell(question, f"{died.param}: {died.why}")
        now = self._clock.monotonic()
        if died.is_by_grammar:
            message = f"Invalid '{died.param}': {died.why}."
            return Verdict(message, died.param, question.code), now + POISONED_S
        message = f"The check of '{died.param}' was ended ({died.why})."
        code = GrammarCheckError.code
        return Verdict(message, died.param, code), now + SUSPECT_S

    def _tell(self, question: _Question, detail: str) -> None:
        logger.warning("Grammar check of %s: %s", question.request_id, detail)
        self._publish(
            "checker_died",
            detail=f"{question.request_id}: {detail}",
            data={"request_id": question.request_id, "job": question.key.hex()},
        )

    def _recall(self, key: bytes) -> Verdict | None:
        verdict, until = self._known.get(key, (None, 0.0))
        if verdict is None or self._clock.monotonic() >= until:
            return None
        self._known.move_to_end(key)
        return verdict


def _question(
    grammar: Grammar | None, tools: ToolUse | None, request_id: str
) -> _Question:
    job = to_job(grammar, tools)
    return _Question(
        job=job,
        key=hashlib.sha256(job).digest(),
        code=refusal_code(grammar),
        param="tools" if grammar is None else grammar.param,
        request_id=request_id,
    )
