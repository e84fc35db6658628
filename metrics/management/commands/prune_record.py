"""`mlx-server prune`: delete what has been kept long enough, now."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand

from inference.conf import ServerConfig
from metrics.conf import retention_of
from metrics.retention import Pruner


class Command(BaseCommand):
    """Does at once what a running server does every hour; safe beside one."""

    help = "Delete requests, sums, samples and bodies that are past their retention."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Delete batch after batch, and say what went."""
        gone: Counter[str] = Counter()
        retention = retention_of(ServerConfig.from_settings())
        for name, count in Pruner(retention).batches():
            gone[name] += count
            self.stderr.write(f"\r{gone.total():,} rows deleted", ending="")
        if gone:
            self.stderr.write("")
        for name, count in gone.items():
            self.stdout.write(f"{count:,} {name}")
        if not gone:
            self.stdout.write("Nothing has expired.")
