"""`mlx-server backfill`: make the sums anew from the requests that are there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from metrics.rollups.backfill import backfill

if TYPE_CHECKING:
    from django.core.management.base import CommandParser


class Command(BaseCommand):
    """Goes hour by hour; what a running server adds meanwhile is not lost."""

    help = (
        "Make the sums of minutes, hours and days anew from requests. Hours of which "
        "requests have been deleted keep the sums they have."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare how far back to go."""
        parser.add_argument(
            "--days", type=float, metavar="N", help="only the last N days"
        )

    def handle(self, *args: Any, days: float | None, **options: Any) -> None:
        """Rebuild, with a line of progress, and say how much was done."""
        since = None if days is None else timezone.now() - timedelta(days=days)
        requests = hours = left = 0
        for progress in backfill(since and _hour_of(since)):
            hours += progress.is_rebuilt
            left += not progress.is_rebuilt
            requests += progress.requests if progress.is_rebuilt else 0
            self.stderr.write(
                f"\r{progress.hour:%Y-%m-%d %H:00}  {requests:,} requests", ending=""
            )
        if hours or left:
            self.stderr.write("")
        self.stdout.write(f"{requests:,} requests in {hours:,} hours summed")
        if left:
            self.stdout.write(
                f"{left:,} hours left as they were: some of their requests are deleted"
            )


def _hour_of(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
