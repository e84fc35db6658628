"""The server runs that live, each with its last sign of life."""

from __future__ import annotations

from django.db import models


class ServerRun(models.Model):
    """One run of a server; the row goes when the run has ended.

    Both times are by that server's own clock: `last_seen` is compared with nothing
    but its earlier self.
    """

    boot_id = models.CharField(max_length=64, unique=True)
    node = models.CharField(max_length=255)
    version = models.CharField(max_length=64, blank=True)
    started_at = models.DateTimeField("started")
    last_seen = models.DateTimeField()

    class Meta:
        verbose_name = "server run"

    def __str__(self) -> str:
        return f"{self.node} {self.boot_id}"
