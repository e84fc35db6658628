"""Where things are kept: the database and the data folder."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from django.db import DatabaseError, connection, transaction

from inference.library.words import size_in_words
from mlxsite.databases import wait_no_longer
from mlxsite.doctor.findings import Finding, note, warning, well, wrong
from mlxsite.startup.database import ensure_reachable, missing_migrations

if TYPE_CHECKING:
    from inference.conf import ServerConfig

GB = 1_000_000_000
LITTLE_BYTES = 2 * GB
NOTHING_BYTES = GB // 10
LOCK_PATIENCE_S = 2.0
ELSEWHERE = "Set MLX_DATA_DIR to a folder you may write to."


def check_database() -> list[Finding]:
    """Whether it can be reached and written, and has this version's tables."""
    is_file = connection.vendor == "sqlite"
    path = str(connection.settings_dict["NAME"])
    name = f"{connection.display_name} {path}"
    if is_file and not Path(path).exists():
        return [note("database", f"{name} is not there yet", _MADE)]
    try:
        wait_no_longer(connection, LOCK_PATIENCE_S)
        ensure_reachable()
        # On SQLite that asks for the lock that a writer needs.
        with transaction.atomic():
            missing = missing_migrations()
    except (DatabaseError, OSError) as error:
        cause = " ".join(str(error).split())
        return [wrong("database", f"{name} cannot be used: {cause}", _REACH[is_file])]
    finally:
        connection.close()
    if missing:
        return [note("database", f"{name} lacks {missing} migrations", _MADE)]
    return [well("database", f"{name}, migrated")]


_MADE = "The next start makes it: mlx-server launch (or mlx-server migrate)."
_REACH = {
    True: "Another program may hold it, or the file is damaged: see MLX_DATA_DIR.",
    False: "Start the server of DATABASE_URL, or mend the URL.",
}


def check_data_dir(config: ServerConfig) -> list[Finding]:
    """Whether the server may write, and has room to."""
    folder = config.data_dir
    if not folder.is_dir():
        return [wrong("data folder", f"{folder} is no folder", ELSEWHERE)]
    spool = folder / "spool"
    for place in (folder, spool) if spool.exists() else (folder,):
        try:
            with tempfile.TemporaryFile(dir=place) as trial:
                trial.write(b"\0" * 4096)
                trial.flush()
                os.fsync(trial.fileno())
        except OSError as error:
            words = f"{place} cannot be written: {error.strerror}"
            return [wrong("data folder", words, ELSEWHERE)]
    free = shutil.disk_usage(folder).free
    words = f"{folder}, {size_in_words(free)} free"
    facts = {"path": str(folder), "free_bytes": free}
    if free < NOTHING_BYTES:
        return [wrong("data folder", words, "Make room on that disk.", **facts)]
    if free < LITTLE_BYTES:
        advice = "Make room on that disk: models and the record need it."
        return [warning("data folder", words, advice, **facts)]
    return [well("data folder", words, **facts)]
