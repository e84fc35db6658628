"""One row per server event: starts and stops, models loaded, workers that died."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models

from metrics.models.fitting import fitted_values, moment

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inference.core.events import ServerEvent


EVENT_KINDS = [
    (kind, kind.replace("_", " "))
    for kind in (
        "server_start",
        "server_stop",
        "server_lost",
        "model_load",
        "model_load_failed",
        "model_unload",
        "model_evict",
        "model_quarantined",
        "model_released",
        "worker_died",
        "worker_restart",
        "memory_refused",
        "checker_died",
        "record_waited",
        "login_failed",
    )
]


LOSSES = ("server_lost", "model_load_failed", "model_quarantined", "worker_died")


class ServerEventQuerySet(models.QuerySet["ServerEventLog"]):
    """Many server events."""

    def record(self, events: Iterable[ServerEventLog]) -> None:
        """Add events; one that is there already is not added again."""
        self.bulk_create(events, ignore_conflicts=True)


class ServerEventLog(models.Model):
    """Something that happened to a server or a model."""

    kind = models.CharField(max_length=64, choices=EVENT_KINDS)
    at = models.DateTimeField()
    node = models.CharField(max_length=255)
    boot_id = models.CharField(max_length=64)
    model = models.CharField(max_length=255, blank=True)
    detail = models.TextField(blank=True)
    data = models.JSONField(default=dict, blank=True)

    objects = ServerEventQuerySet.as_manager()

    class Meta:
        verbose_name = "server event"
        ordering = ["-at", "-id"]
        indexes = [
            models.Index(fields=["-at", "-id"], name="event_newest"),
            models.Index(fields=["kind", "-at"], name="event_kind"),
        ]
        constraints = [
            # A spool that is read again must not tell its events twice.
            models.UniqueConstraint(
                fields=["boot_id", "at", "kind", "model"], name="event_once"
            ),
        ]

    def __str__(self) -> str:
        return " ".join(filter(None, (self.get_kind_display(), self.model)))

    @property
    def is_loss(self) -> bool:
        """Whether something was lost by it."""
        return self.kind in LOSSES

    @classmethod
    def from_event(cls, event: ServerEvent) -> ServerEventLog:
        """Return the unsaved row of an event."""
        return cls(**fitted_values(cls, event) | {"at": moment(event.at)})
