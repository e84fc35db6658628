"""Adding up: ended requests and samples become rows of sums, each counted once.

`sums` adds in memory; `requests` and `samples` add to the tables, inside the
transaction of whatever they count; `lock` lets one of them at a time change a sum;
`backfill` makes sums anew from requests.
"""

from __future__ import annotations

from metrics.rollups.lock import hold_sums
from metrics.rollups.requests import add_requests, compared
from metrics.rollups.samples import add_samples

__all__ = ["add_requests", "add_samples", "compared", "hold_sums"]
