"""GET /v1/queue/stats and /v1/queue/requests: from memory, for who watches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.exchange.endpoint import endpoint
from inference.exchange.replies import json_reply
from inference.protocol.running import running_body
from inference.protocol.stats import stats_body

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase

    from inference.exchange.call import Call

LISTED_REQUESTS = 1000


@endpoint("/v1/queue/stats", "GET")
async def queue_stats(call: Call) -> HttpResponseBase:
    """Show the queue as it is and the totals since the first request."""
    app = call.app
    return json_reply(
        stats_body(
            app.service.snapshot(),
            app.stats.totals(),
            app.stats.totals_by_model(),
            app.record,
            suppressed_rows=app.unauthenticated.suppressed_total,
        )
    )


@endpoint("/v1/queue/requests", "GET")
async def queue_requests(call: Call) -> HttpResponseBase:
    """Show the requests that are open, to those who may read the record."""
    app = call.app
    client_host = str(call.request.META.get("REMOTE_ADDR") or "")
    app.readers.admit(call.request.headers, client_host=client_host)
    return json_reply(
        running_body(
            app.running.first(LISTED_REQUESTS),
            total=len(app.running),
            now=app.clock.wall(),
        )
    )
