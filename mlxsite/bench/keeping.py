"""Keeping a run: in the database where there is one, else one line says why not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from django.db import DatabaseError, connection

from metrics.models import BenchRun
from mlxsite.databases import wait_no_longer
from mlxsite.startup.database import ensure_reachable

if TYPE_CHECKING:
    from mlxsite.bench.report import Report

# A server writes in short turns; who holds the lock for longer is not waited for.
LOCK_PATIENCE_S = 3.0


class NotKeptError(RuntimeError):
    """A run cannot be kept; the message is one line."""


def keep(report: Report) -> BenchRun:
    """Add a run to the database.

    Raises:
        NotKeptError: it is not there, not migrated, locked, or refuses.
    """
    name = str(connection.settings_dict["NAME"])
    is_file = connection.vendor == "sqlite"
    if is_file and not Path(name).exists():
        raise NotKeptError(f"there is no database at {name} yet: `mlx-server migrate`")
    try:
        wait_no_longer(connection, LOCK_PATIENCE_S)
        ensure_reachable()
        if BenchRun._meta.db_table not in _tables():  # noqa: SLF001 -- documented API
            raise NotKeptError(
                f"the database {name} has no table for it yet: `mlx-server migrate`"
            )
        return BenchRun.objects.keep(report.to_values())
    except (DatabaseError, OSError) as error:
        cause = " ".join(str(error).split())
        raise NotKeptError(f"the database {name} cannot be used: {cause}") from None


def _tables() -> list[str]:
    return connection.introspection.table_names()
