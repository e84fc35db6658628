"""How records are written: what a client sends can never forge a line."""

from __future__ import annotations

import copy
import logging
import queue
import traceback
from contextlib import contextmanager
from logging.handlers import QueueHandler, QueueListener
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
OURS = ("mlx_server", "mlx_server.requests", "inference", "metrics")
OWN_NAMES = frozenset(name.partition(".")[0] for name in OURS)
SHORT = {0: "\\0", 9: "\\t", 10: "\\n", 13: "\\r"}
# C0, DEL and C1; line and paragraph separators; marks that turn the direction.
STEERING = (
    *range(0x20),
    *range(0x7F, 0xA0),
    *(0x61C, 0x200E, 0x200F, 0x2028, 0x2029),
    *range(0x202A, 0x202F),
    *range(0x2066, 0x206A),
)
ESCAPES = {
    code: SHORT.get(code, f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")
    for code in STEERING
}
ESCAPES_IN_LINES = {code: text for code, text in ESCAPES.items() if code != 10}
FRAME = "File "
INDENT = "    "


class SafeFormatter(logging.Formatter):
    """Escapes what steers a terminal or breaks a line, exceptions included.

    Only the product's own words keep their line breaks; a library's message is
    words and values in one. What follows a message stands indented, so that no line
    of it can be taken for the beginning of another.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Format `record`, which stays as it is."""
        safe = copy.copy(record)
        safe.exc_text = None
        if isinstance(record.args, tuple):
            safe.args = tuple(map(_escaped, record.args))
        elif record.args:
            safe.args = {key: _escaped(value) for key, value in record.args.items()}
        is_own = record.name.partition(".")[0] in OWN_NAMES
        escapes = ESCAPES_IN_LINES if is_own else ESCAPES
        safe.msg = str(record.msg).translate(escapes)
        return super().format(safe)

    def formatException(self, ei: Any) -> str:  # noqa: N802
        """Return the traceback; an exception's words are one line of it."""
        error = traceback.TracebackException(*ei)
        return "\n".join(
            INDENT + line for part in error.format() for line in _told(part)
        )

    def formatStack(self, stack_info: str) -> str:  # noqa: N802
        """Return the stack, escaped and indented."""
        lines = stack_info.split("\n")
        return "\n".join(INDENT + line.translate(ESCAPES) for line in lines)


def _escaped(value: object) -> object:
    if isinstance(value, int | float):
        return value
    return str(value).translate(ESCAPES)


def _told(part: str) -> list[str]:
    """Return the lines of a traceback's part: a frame has several, words have one."""
    text = part.removesuffix("\n")
    is_frame = text.lstrip(" |+").startswith(FRAME)
    lines = text.split("\n") if is_frame else [text]
    return [line.translate(ESCAPES) for line in lines]


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
