"""GET /v1/queue/stats: answered from memory, for whoever watches the load."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.api.endpoint import endpoint
from inference.api.replies import json_reply
from inference.protocol.stats import stats_body

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase

    from inference.api.call import Call


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
            suppressed_rows=app.strangers.suppressed_total,
        )
    )
