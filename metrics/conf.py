"""What the server's settings say of the record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metrics.recorder import Keeping
from metrics.recorder.redaction import find_redactor
from metrics.retention import Retention

if TYPE_CHECKING:
    from inference.conf import ServerConfig


def retention_of(config: ServerConfig) -> Retention:
    """Return how long each kind of row is kept."""
    return Retention(
        rows_days=config.retention_days,
        minutes_days=config.minute_retention_days,
        hours_days=config.hour_retention_days,
        days_days=config.day_retention_days,
        bodies_days=config.body_retention_days,
        responses_s=config.responses_retention_s,
    )


def keeping_of(config: ServerConfig) -> Keeping:
    """Return what a recorder keeps, and for how long.

    Raises:
        RedactorError: `BODY_REDACTOR` names nothing that can be called.
    """
    return Keeping(find_redactor(config.body_redactor), retention_of(config))
