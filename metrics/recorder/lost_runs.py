"""Runs that are lost: killed, and no next start on their data folder ends their rows.

A run is lost when its sign of life has stayed the same for `LOOKS` looks in a row,
a beat apart. Whoever looks counts its own looks that reached the database, so neither
clocks that differ, nor a machine that slept, nor a database that was away make a run
lost. Who comes back all the same goes on: its real ends stand for those made here.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from metrics.models import RequestLog, ServerEventLog, ServerRun
from metrics.models.requests import CRASH
from metrics.recorder.endings import end_rows
from metrics.rollups import hold_sums

if TYPE_CHECKING:
    from datetime import datetime

logger = logging.getLogger("metrics.recorder")

BEAT_EVERY_S = 5.0
LOOKS = 6
# What a run without a heartbeat (of an older version) may be silent for: nothing says
# more of it than when its newest unended request began.
SILENT_GRACE = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Sign:
    """The last that was heard of a run; a run that lives has another one soon."""

    boot_id: str
    node: str
    at: datetime
    has_heartbeat: bool = True


class Watch:
    """Looks at the other runs on this database, and knows which have fallen silent."""

    def __init__(self, own_boot_id: str) -> None:
        self._own = own_boot_id
        self._silent_looks: dict[Sign, int] = {}

    def look(self) -> list[Sign]:
        """Look once, a beat after the last time; return the last of those lost.

        Raises:
            django.db.Error: the database could not be asked; that was no look.
        """
        before = self._silent_looks
        signs = last_signs(but_of=self._own)
        self._silent_looks = {sign: before.get(sign, -1) + 1 for sign in signs}
        return [sign for sign, looks in self._silent_looks.items() if looks >= LOOKS]


def last_signs(*, but_of: str = "") -> set[Sign]:
    """Return the last sign of every run that may have requests to be ended."""
    beats = ServerRun.objects.exclude(boot_id=but_of)
    signs = {
        Sign(*values) for values in beats.values_list("boot_id", "node", "last_seen")
    }
    known = [but_of, *(sign.boot_id for sign in signs)]
    unended = RequestLog.objects.running().exclude(boot_id__in=known).order_by()
    newest = unended.values_list("boot_id", "node").annotate(at=Max("started_at"))
    silent = newest.filter(at__lt=timezone.now() - SILENT_GRACE)
    return signs | {
        Sign(boot_id, node, at, has_heartbeat=False) for boot_id, node, at in silent
    }


def end_lost_run(last: Sign, *, by: str) -> int | None:
    """End the rows of a run that is lost, with an event; return how many.

    `None` where `last` is not the last of it any more: it lives, or another server
    was first. `by` is the node that ends them.

    Raises:
        django.db.Error: nothing was ended.
    """
    with transaction.atomic():
        hold_sums([last.boot_id])
        unended = RequestLog.objects.running().filter(boot_id=last.boot_id).order_by()
        newest = unended.aggregate(at=Max("started_at"))["at"]
        if not _is_still(last, newest):
            return None
        at = max(last.at, newest or last.at)
        count = end_rows(last.boot_id, at=at, reason=CRASH)
        ServerEventLog.objects.record([_event(last, count, by)])
    logger.warning(
        "Run %s of %s gives no sign of life; %d requests interrupted",
        *(last.boot_id, last.node, count),
    )
    return count


def _is_still(last: Sign, newest: datetime | None) -> bool:
    """Whether nothing was heard of the run since, and nobody has ended it.

    Deletes its heartbeat, which one of those who try can do.
    """
    beats = ServerRun.objects.filter(boot_id=last.boot_id)
    if last.has_heartbeat:
        return beats.filter(last_seen=last.at).delete()[0] == 1
    return newest == last.at and not beats.exists()


def _event(last: Sign, count: int, by: str) -> ServerEventLog:
    return ServerEventLog(
        kind="server_lost",
        at=timezone.now(),
        node=last.node,
        boot_id=last.boot_id,
        detail=f"{count} requests interrupted",
        data={"interrupted": count, "last_sign": last.at.isoformat(), "ended_by": by},
    )
