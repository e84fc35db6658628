"""Sums over the whole record, as the totals need them at boot."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, F, FloatField, Sum
from django.db.models.functions import Coalesce

from inference.core.outcomes import Outcome, RequestKind
from metrics.models import RequestLog

RECENT = 100


@dataclass(frozen=True, slots=True)
class Share:
    """What the ended requests that share these four words add up to."""

    model: str
    kind: RequestKind
    outcome: Outcome
    admitted: bool
    requests: int
    tokens: int
    time_s: float


def shares() -> list[Share]:
    """Sum all ended requests by model, kind, outcome and whether they got a seat."""
    working_s = F("total_s") - Coalesce(F("queue_s"), 0.0, output_field=FloatField())
    rows = (
        RequestLog.objects.ended()
        .order_by()
        .values("model", "kind", "outcome", "admitted")
        .annotate(
            requests=Count("pk"), tokens=Sum("completion_tokens"), time_s=Sum(working_s)
        )
    )
    return [
        Share(
            model=row["model"],
            kind=RequestKind(row["kind"]),
            outcome=Outcome(row["outcome"]),
            admitted=row["admitted"],
            requests=row["requests"],
            tokens=row["tokens"] or 0,
            time_s=row["time_s"] or 0.0,
        )
        for row in rows
    ]


def recent_speeds(model: str | None = None) -> list[float]:
    """Return tok/s of the last finished generations, oldest first."""
    rows = RequestLog.objects.with_speed()
    if model is not None:
        rows = rows.filter(model=model)
    newest = rows.values_list("tps", flat=True)[:RECENT]
    return [tps for tps in newest if tps is not None][::-1]
