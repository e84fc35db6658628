"""The log's account of requests: five lines for a generation, one for other ends."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inference.core.events import RequestObserver
from inference.core.outcomes import Outcome

if TYPE_CHECKING:
    from inference.core.events import RequestRecord, StatsSource

logger = logging.getLogger("mlx_server.requests")

# One record, so that lines of requests that end together do not mix.
_COMPLETED = """\
Request completed: %s
Tokens: %d (words: %d, chars: %d)
Time: %.2fs
TPS: %.2f
Avg TPS: %.2f"""
_ALARMING = (Outcome.FAILED, Outcome.TIMED_OUT, Outcome.INTERRUPTED)


@dataclass(frozen=True, slots=True)
class CompletionLog(RequestObserver):
    """Logs ends; stands after the totals whose average it logs."""

    stats: StatsSource

    def request_finished(self, record: RequestRecord) -> None:
        """Log a finished generation, or the end of anything that did not finish."""
        if record.outcome is not Outcome.FINISHED:
            _log_other_end(record)
        elif record.admitted and record.kind and logger.isEnabledFor(logging.INFO):
            self._log_completed(record)

    def _log_completed(self, record: RequestRecord) -> None:
        # The same time that the speed is measured over: without queueing.
        working_s = (record.total_s or 0.0) - (record.queue_s or 0.0)
        figures = (
            record.kind,
            record.completion_tokens or 0,
            record.words,
            record.characters,
            working_s,
            record.tps or 0.0,
            self.stats.avg_tps,
        )
        logger.handle(_log_record(figures))


def _log_record(figures: tuple[object, ...]) -> logging.LogRecord:
    """Return what `logger.info` would make, without a look at who called it.

    There is one for every answer, and that look is most of what a line costs the loop.
    """
    return logging.makeLogRecord(
        {
            "name": logger.name,
            "levelno": logging.INFO,
            "levelname": logging.getLevelName(logging.INFO),
            "msg": _COMPLETED,
            "args": figures,
        }
    )


def _log_other_end(record: RequestRecord) -> None:
    level = logging.WARNING if record.outcome in _ALARMING else logging.INFO
    logger.log(
        level,
        "Request %s: %s (%s, %s) %s",
        record.outcome.replace("_", " "),
        record.kind or record.endpoint,
        record.reason,
        record.phase,
        record.request_id,
    )
