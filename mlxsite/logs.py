"""How records are written: what a client sends can never forge a line."""

from __future__ import annotations

import copy
import logging
import queue
from contextlib import contextmanager
from logging.handlers import QueueHandler, QueueListener
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
OURS = ("mlxsite", "mlxsite.requests", "inference", "metrics")
BREAKS = str.maketrans({"\n": "\\n", "\r": "\\r", "\x1b": "\\x1b", "\x00": "\\0"})


class SafeFormatter(logging.Formatter):
    """Escapes line breaks in a message's arguments; its own words keep theirs."""

    def format(self, record: logging.LogRecord) -> str:
        """Format `record`, which stays as it is."""
        safe = copy.copy(record)
        if isinstance(record.args, tuple):
            safe.args = tuple(map(_escaped, record.args))
        elif record.args:
            safe.args = {key: _escaped(value) for key, value in record.args.items()}
        return super().format(safe)


def _escaped(value: object) -> object:
    if isinstance(value, int | float):
        return value
    return str(value).translate(BREAKS)


def tells_more_than_the_request_log(record: logging.LogRecord) -> bool:
    """Whether Django reports an exception; a bare 4xx or 503 is logged already."""
    return record.exc_info is not None


def logging_config(level: str) -> dict[str, Any]:
    """Return Django's LOGGING: our loggers at `level`, the libraries' warnings."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": SafeFormatter, "format": FORMAT}},
        "filters": {
            "exceptions": {
                "()": "django.utils.log.CallbackFilter",
                "callback": tells_more_than_the_request_log,
            }
        },
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "line"},
        },
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {
            **{name: {"level": level} for name in OURS},
            # Django's own handlers would mail, or print a record twice.
            "django": {"handlers": [], "level": "WARNING", "propagate": True},
            "django.request": {"filters": ["exceptions"]},
        },
    }


class _InProcessQueueHandler(QueueHandler):
    """Hands records over as they are: the formatter still sees their arguments."""

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """Change nothing."""
        return record


@contextmanager
def written_by_a_thread() -> Iterator[None]:
    """Let a thread write the log while this lasts.

    A terminal that is paused, or a full pipe, must not stop the event loop.
    """
    root = logging.getLogger()
    handlers = list(root.handlers)
    lines: queue.SimpleQueue[Any] = queue.SimpleQueue()
    listener = QueueListener(lines, *handlers, respect_handler_level=True)
    root.handlers = [_InProcessQueueHandler(lines)]
    listener.start()
    try:
        yield
    finally:
        root.handlers = handlers
        listener.stop()
