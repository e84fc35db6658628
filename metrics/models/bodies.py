"""What was asked and answered: kept only where it is turned on, and not for long."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models

from metrics.models.fitting import fitted_values, moment

if TYPE_CHECKING:
    from inference.core.events import RequestBodies


class RequestBody(models.Model):
    """The prompt and the answer of one request, as JSON values."""

    request_id = models.CharField(max_length=64, unique=True)
    started_at = models.DateTimeField()
    prompt = models.JSONField(null=True, blank=True)
    answer = models.JSONField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "request bodies"
        indexes = [models.Index(fields=["started_at"], name="body_age")]

    def __str__(self) -> str:
        return self.request_id

    @classmethod
    def from_bodies(cls, bodies: RequestBodies) -> RequestBody:
        """Return the unsaved row of a prompt and an answer."""
        started_at = moment(bodies.started_at)
        return cls(**fitted_values(cls, bodies) | {"started_at": started_at})
