"""What was asked and answered: kept only where it is turned on, and not for long."""

from __future__ import annotations

from django.db import models


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
