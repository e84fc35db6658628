"""The heartbeat: a thread that says every few seconds that this run lives.

It ends the rows of those that do not say so any more. A thread of its own, because
the writer may be busy for minutes with what was left to it.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from django.db import DEFAULT_DB_ALIAS, connections
from django.utils import timezone

from metrics.models import ServerRun
from metrics.models.fitting import fitted_text
from metrics.recorder.lost_runs import BEAT_EVERY_S, Watch, end_lost_run

if TYPE_CHECKING:
    from inference.core.trace import ServerIdentity

logger = logging.getLogger("metrics.recorder")


class RunHeartbeat:
    """Beats from `start` to `stop`; the recorder's end takes the last beat away."""

    def __init__(
        self,
        *,
        identity: ServerIdentity,
        version: str,
        every_s: float = BEAT_EVERY_S,
    ) -> None:
        self._run = ServerRun(
            boot_id=identity.boot_id,
            node=fitted_text(ServerRun, "node", identity.node),
            version=version,
            started_at=timezone.now(),
        )
        self._every_s = every_s
        self._watch = Watch(identity.boot_id)
        self._trouble = ""
        self._stopping = threading.Event()
        self._thread = threading.Thread(
            target=self._live, name="heartbeat", daemon=True
        )

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Beat no more; blocks until the last beat is over."""
        self._stopping.set()
        self._thread.join(timeout_s)

    def _live(self) -> None:
        try:
            while not self._stopping.is_set():
                self._turn()
                self._stopping.wait(self._every_s)
        finally:
            connections[DEFAULT_DB_ALIAS].close()

    def _turn(self) -> None:
        try:
            self._beat()
            for last in self._watch.look():
                end_lost_run(last, by=self._run.node)
        except Exception as error:  # noqa: BLE001 -- the thread must outlive all of it
            self._tell(error)
            connections[DEFAULT_DB_ALIAS].close()
        else:
            self._trouble = ""

    def _beat(self) -> None:
        """Say that this run lives; it may have been taken for lost since."""
        self._run.last_seen = timezone.now()
        mine = ServerRun.objects.filter(boot_id=self._run.boot_id)
        if mine.update(last_seen=self._run.last_seen):
            return
        if self._run.pk is not None:
            logger.warning("Another server took this one for lost; it goes on")
            self._run.pk = None
        self._run.save(force_insert=True)

    def _tell(self, error: Exception) -> None:
        """Log what stands in the way, once."""
        if not self._trouble:
            logger.warning("No sign of life could be given: %s", error)
        self._trouble = str(error)
