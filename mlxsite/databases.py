"""How each database engine is opened: options that were measured, not guessed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from django.db.backends.base.base import BaseDatabaseWrapper

SQLITE = "django.db.backends.sqlite3"
POSTGRESQL = "django.db.backends.postgresql"

# Readers beside one writer, and a writer that waits instead of failing.
SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": (
        "PRAGMA journal_mode=WAL;"
        "PRAGMA synchronous=NORMAL;"
        "PRAGMA busy_timeout=20000;"
        "PRAGMA mmap_size=134217728;"
        "PRAGMA journal_size_limit=27103364;"
        "PRAGMA cache_size=2000;"
    ),
}

# Every request under ASGI has its own thread, so connections live in a pool.
POSTGRESQL_OPTIONS = {
    "pool": {"min_size": 1, "max_size": 8, "timeout": 10},
    "connect_timeout": 5,
}

OPTIONS: dict[str, dict[str, Any]] = {
    SQLITE: SQLITE_OPTIONS,
    POSTGRESQL: POSTGRESQL_OPTIONS,
}


def default_database(path: Path) -> dict[str, Any]:
    """Return the settings of the SQLite file that is used without DATABASE_URL."""
    return with_options({"ENGINE": SQLITE, "NAME": str(path)})


def with_options(database: dict[str, Any]) -> dict[str, Any]:
    """Return `database` with its engine's options; those of the URL win."""
    ours = OPTIONS.get(database["ENGINE"], {})
    return {
        **database,
        "CONN_MAX_AGE": 0,
        "OPTIONS": {**ours, **database.get("OPTIONS", {})},
    }


def wait_no_longer(connection: BaseDatabaseWrapper, patience_s: float) -> None:
    """Have a connection that is yet to be opened wait so long for locks on its file.

    The server's own patience is for its writer; a command that only wants to look, or
    to add one row, must not hang on whoever holds the file.
    """
    if connection.vendor != "sqlite":
        return
    options = connection.settings_dict["OPTIONS"]
    first = re.sub(
        r"busy_timeout=\d+",
        f"busy_timeout={round(patience_s * 1000)}",
        options.get("init_command", ""),
    )
    connection.settings_dict["OPTIONS"] = {
        **options,
        "timeout": patience_s,
        "init_command": first,
    }
