"""How long the pages of the record take, and how many queries they ask.

usage: python -m tests.bench.pages [RUNS]

Measures on the configured database (`DATABASE_URL`, else `MLX_DATA_DIR`), which
`tests.bench.rows` has filled. Each page is asked RUNS times, in turns with the others,
by a staff user through Django's handler; times are the server's, in milliseconds.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections import defaultdict
from typing import Any

LIST = "/admin/metrics/requestlog/"
DATA = "/admin/history/data"
USER = "bench-staff"


def pages() -> dict[str, str]:
    """Return the pages to ask for, by name."""
    from metrics.models import RequestLog

    newest = RequestLog.objects.newest_first()[50_000]
    row = newest.request_id
    return {
        "list": LIST,
        "list, one model": f"{LIST}?model=qwen3-30b",
        "list, errors": f"{LIST}?outcome=failed,timed_out,interrupted",
        "list, error code": f"{LIST}?reason=insufficient_memory",
        "list, key and outcome": f"{LIST}?key=ci&outcome=cancelled",
        "list, last hour": f"{LIST}?hours=1",
        "list, last 30 days, one model": f"{LIST}?hours=720&model=gemma-3-1b",
        "list, slow ones": f"{LIST}?min_ttft_s=5",
        "list, nothing matches": f"{LIST}?min_completion_tokens=10000000",
        "list, words": f"{LIST}?q=worker",
        "list, an id": f"{LIST}?q={row}",
        "one request": f"{LIST}{newest.pk}/change/",
        "keys": f"{LIST}keys/",
        "events": "/admin/metrics/servereventlog/",
        "charts, 1 h": f"{DATA}?range=1h",
        "charts, 24 h": f"{DATA}?range=24h",
        "charts, 7 d": f"{DATA}?range=7d",
        "charts, 30 d": f"{DATA}?range=30d",
        "charts, 90 d": f"{DATA}?range=90d",
        "charts, 90 d, one model": f"{DATA}?range=90d&model=qwen3-30b",
        "/api/requests": "/api/requests",
        "/api/requests, errors": "/api/requests?outcome=failed,timed_out",
        "/api/rollups, 90 d": "/api/rollups?level=day&hours=2160",
    }


def measure(runs: int) -> dict[str, list[tuple[float, int]]]:
    """Return milliseconds and queries of each page, run by run."""
    from django.contrib.auth.models import User
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    user, _ = User.objects.get_or_create(
        username=USER, defaults={"is_staff": True, "is_superuser": True}
    )
    client = Client(headers={"host": "127.0.0.1"})
    client.force_login(user)
    found: defaultdict[str, list[tuple[float, int]]] = defaultdict(list)
    asked = pages()
    for number in range(-1, runs):
        for name, url in asked.items():
            with CaptureQueriesContext(connection) as queries:
                began = time.perf_counter()
                answer: Any = client.get(url)
                assert answer.status_code == 200, (url, answer.content[:300])
                _ = answer.content
                took_ms = (time.perf_counter() - began) * 1000
            if number >= 0:  # The first warms everything up.
                found[name].append((took_ms, len(queries)))
    user.delete()
    return found


def main(runs: int) -> int:
    """Measure and print a table."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mlxsite.settings")
    import django

    django.setup()
    from django.db import connection

    from metrics.models import RequestLog

    rows = RequestLog.objects.count()
    say(f"{connection.vendor}, {rows:,} rows, {runs} runs")
    say(f"| {'page':30} | median ms | 95th ms | queries |")
    say(f"|{'-' * 32}|-----------|---------|---------|")
    for name, taken in measure(runs).items():
        times = sorted(ms for ms, _ in taken)
        slow = statistics.quantiles(times, n=20, method="inclusive")[-1]
        most = max(queries for _, queries in taken)
        say(f"| {name:30} | {statistics.median(times):9.0f} | {slow:7.0f} | {most:7} |")
    return 0


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20))
