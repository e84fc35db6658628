"""Ending what still runs in the rows of a server run that is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.models import ResponseRow
from metrics.models import RequestLog, ServerEventLog, ServerRun
from metrics.rollups import add_requests

if TYPE_CHECKING:
    from datetime import datetime


def end_rows(boot_id: str, *, at: datetime, reason: str) -> int:
    """Interrupt and count what runs in a run's rows; return how many that were.

    Responses that it had under way in the background have failed with it.

    In a transaction that holds the run's sums. The run has no sign of life any more.
    """
    interrupted = RequestLog.objects.interrupt_run(
        boot_id, at=at, reason=reason, served=_served_by(boot_id)
    )
    add_requests(interrupted)
    ResponseRow.objects.end_run(boot_id)
    ServerRun.objects.filter(boot_id=boot_id).delete()
    return len(interrupted)


def _served_by(boot_id: str) -> dict[str, str]:
    """Return the models of a run by the names that requests gave; "": the default.

    Only what the run itself loaded: sums have a line for each.
    """
    events = ServerEventLog.objects.filter(boot_id=boot_id).order_by("at")
    served = {}
    for kind, model, data in events.values_list("kind", "model", "data"):
        names = data.get("models", []) if kind == "server_start" else [model]
        if kind == "server_start" and names:
            served[""] = names[0]
        served |= {name: name for name in names if name}
    return served
