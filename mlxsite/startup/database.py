"""The database at start-up: reachable, and with the tables this version needs."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from django.core.management import call_command
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from inference.library.locks import locked
from mlxsite.startup.errors import StartupError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.migrations.loader import MigrationLoader

# Any number will do, as long as no other program takes the same lock.
ADVISORY_LOCK = 0x6D6C78


def ensure_database(data_dir: Path) -> int:
    """Apply what is missing and return how many migrations that were.

    Raises:
        StartupError: the database cannot be reached or does not accept them.
    """
    try:
        ensure_reachable()
        with locked(_lock_file(data_dir)), _locked_for_all_nodes():
            missing = missing_migrations()
            if missing:
                call_command("migrate", verbosity=0, interactive=False)
    except (DatabaseError, OSError) as error:
        name = connection.settings_dict["NAME"]
        cause = " ".join(str(error).split())
        raise StartupError(
            f"the database {name} cannot be used: {cause} (see DATABASE_URL)"
        ) from error
    return missing


def ensure_reachable() -> None:
    """Connect once without the pool, which would retry and log each attempt."""
    if connection.vendor == "postgresql":
        import psycopg

        try:
            psycopg.connect(**connection.get_connection_params()).close()
        except psycopg.Error as error:
            raise DatabaseError(*error.args) from error
    connection.ensure_connection()


def _lock_file(data_dir: Path) -> Path:
    """Return the file that all who use this database lock: beside it, where it is a file."""
    file = Path(str(connection.settings_dict["NAME"]))
    is_file = connection.vendor == "sqlite" and file.is_absolute()
    return (file.parent if is_file else data_dir) / "migrate.lock"


@contextlib.contextmanager
def _locked_for_all_nodes() -> Iterator[None]:
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [ADVISORY_LOCK])
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [ADVISORY_LOCK])


def missing_migrations() -> int:
    """Return how many migrations of this version the database lacks."""
    executor = MigrationExecutor(connection)
    loader: MigrationLoader = executor.loader
    return len(executor.migration_plan(loader.graph.leaf_nodes()))
