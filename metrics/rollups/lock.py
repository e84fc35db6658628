"""Who may change sums: many writers of many runs, or one that makes them anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import connection

from metrics.models import Rollup

if TYPE_CHECKING:
    from collections.abc import Iterable

_HOLD_RUN = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"


def hold_sums(runs: Iterable[str] = (), *, alone: bool = False) -> None:
    """Keep those who make sums anew away until the transaction ends.

    And whoever else adds to the sums of these `runs` (boot ids): a run that is taken
    for lost may still write. With `alone` keep every writer away. Call it before
    anything is read. SQLite has one writer at a time from the beginning of a
    transaction on.
    """
    if connection.vendor == "postgresql":
        mode = "SHARE ROW EXCLUSIVE" if alone else "ROW EXCLUSIVE"
        table = connection.ops.quote_name(Rollup._meta.db_table)  # noqa: SLF001 -- documented Django API
        with connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {table} IN {mode} MODE")
            for boot_id in sorted(runs):
                cursor.execute(_HOLD_RUN, [boot_id])
