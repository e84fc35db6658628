"""Who may change sums: many writers of many runs, or one that makes them anew."""

from __future__ import annotations

from django.db import connection

from metrics.models import Rollup


def hold_sums(*, alone: bool = False) -> None:
    """Keep those who make sums anew away until the transaction ends.

    With `alone` keep every writer away, too. Call it before anything is read. SQLite
    has one writer at a time from the beginning of a transaction on.
    """
    if connection.vendor == "postgresql":
        mode = "SHARE ROW EXCLUSIVE" if alone else "ROW EXCLUSIVE"
        table = connection.ops.quote_name(Rollup._meta.db_table)  # noqa: SLF001 -- documented Django API
        with connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {table} IN {mode} MODE")
