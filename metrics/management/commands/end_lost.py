"""`mlx-server end-lost`: end what servers that are gone have left running."""

from __future__ import annotations

import threading
from typing import Any

from django.core.management.base import BaseCommand

from inference.conf import ServerConfig
from metrics.recorder import lost_runs
from metrics.recorder.lost_runs import LOOKS, Sign, end_lost_run, last_signs


class Command(BaseCommand):
    """Does what a running server does by itself; safe beside one."""

    help = (
        "Interrupt the unended requests of servers that were killed and give no sign "
        "of life. Waits up to half a minute for one."
    )
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Watch, end, and say how many requests of how many servers."""
        by = ServerConfig.from_settings().node_name
        ended = [end_lost_run(last, by=by) for last in self.silent()]
        counts = [count for count in ended if count is not None]
        if not counts:
            self.stdout.write("No server is lost.")
        else:
            self.stdout.write(
                f"{sum(counts):,} requests interrupted; servers lost: {len(counts):,}"
            )

    def silent(self) -> set[Sign]:
        """Return the last signs of those that gave no other one for so long."""
        silent = last_signs()
        pause = threading.Event()
        if silent:
            most_s = LOOKS * lost_runs.BEAT_EVERY_S
            self.stderr.write(f"Waiting up to {most_s:.0f} s for a sign of life")
        for _ in range(LOOKS):
            if not silent:
                break
            pause.wait(lost_runs.BEAT_EVERY_S)
            silent &= last_signs()
        return silent
