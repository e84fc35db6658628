"""One line per record, whatever a client put into it."""

from __future__ import annotations

import logging
from typing import Any

FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
OURS = ("mlxsite", "mlxsite.requests", "inference", "metrics")
BREAKS = str.maketrans({"\n": "\\n", "\r": "\\r", "\x1b": "\\x1b", "\x00": "\\0"})


class OneLineFormatter(logging.Formatter):
    """Escapes line breaks in the message; only a traceback has several lines."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """Format the message, without what could forge another line."""
        record.message = record.message.translate(BREAKS)
        return super().formatMessage(record)


def logging_config(level: str) -> dict[str, Any]:
    """Return Django's LOGGING: our loggers at `level`, the libraries' warnings."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": OneLineFormatter, "format": FORMAT}},
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "line"},
        },
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {
            **{name: {"level": level} for name in OURS},
            # Django's own handlers would mail, or print a record twice.
            "django": {"handlers": [], "level": "WARNING", "propagate": True},
        },
    }
