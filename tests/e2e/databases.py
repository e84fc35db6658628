"""Where the servers of end-to-end tests keep their record: a file each, or PostgreSQL.

Each has a copy of one that is migrated: migrations take a second or more, and a first
start has tests of its own. `TEST_DATABASE=postgres` gives each server without a
`DATABASE_URL` of its own a database on the server at `TEST_DATABASE_URL`.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import uuid
from contextlib import closing
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from tests.what_is_here import IS_POSTGRES, POSTGRES

REPOSITORY = Path(__file__).resolve().parents[2]
SQLITE = "sqlite:///"


class RecordFile:
    """A SQLite file in a data folder; it may be there already."""

    def __init__(self, data_dir: Path, url: str = "") -> None:
        self.url = url
        self._path = data_dir / "db.sqlite3"
        if not self._path.exists():
            data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            shutil.copy(migrated_file(), self._path)

    def select(self, query: str) -> list[dict[str, Any]]:
        """Return the rows of a query by column."""
        with closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True)) as found:
            found.row_factory = sqlite3.Row
            return [dict(row) for row in found.execute(query)]


class RecordDatabase:
    """A PostgreSQL database."""

    def __init__(self, url: str) -> None:
        self.url = url

    def select(self, query: str) -> list[dict[str, Any]]:
        """Return the rows of a query by column, as SQLite would tell them."""
        with closing(psycopg.connect(self.url, row_factory=dict_row)) as found:
            rows = found.execute(query).fetchall()  # type: ignore[arg-type]
        return [{name: _plain(value) for name, value in row.items()} for row in rows]


def record_of(data_dir: Path, url: str | None) -> RecordFile | RecordDatabase:
    """Return the record of a server on this folder; `url` is the one it was told."""
    if url and url.startswith(SQLITE):
        return RecordFile(Path(url.removeprefix(SQLITE)).parent, url)
    if url:
        return RecordDatabase(url)
    if IS_POSTGRES and url is None:
        return RecordDatabase(_database_of(data_dir))
    return RecordFile(data_dir)


def shared_record(kind: str, folder: Path) -> RecordFile | RecordDatabase:
    """Return an empty record for several servers, told by its URL."""
    if kind == "postgres":
        return RecordDatabase(_database_of(folder))
    return RecordFile(folder, f"{SQLITE}{folder}/db.sqlite3")


def _plain(value: Any) -> Any:
    if isinstance(value, dict | list):
        return json.dumps(value)
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    return value


@cache
def _database_of(data_dir: Path) -> str:
    """Make a database for a folder; servers that follow each other share it."""
    return _made(f"TEMPLATE {_template().rsplit('/', 1)[1]}")


@cache
def migrated_file() -> Path:
    """Return a SQLite file with all tables, to be copied."""
    folder = Path(tempfile.mkdtemp(prefix="mlx-server-migrated-"))
    atexit.register(shutil.rmtree, folder)
    migrate(folder)
    return folder / "db.sqlite3"


@cache
def _template() -> str:
    url = _made("")
    with tempfile.TemporaryDirectory() as folder:
        migrate(Path(folder), url)
    return url


def migrate(folder: Path, url: str = "") -> None:
    """Make all tables in the file of a data folder, or in the database at `url`."""
    subprocess.run(
        [sys.executable, str(REPOSITORY / "manage.py"), "migrate", "--verbosity=0"],
        env={**os.environ, "DATABASE_URL": url, "MLX_DATA_DIR": str(folder)},
        check=True,
    )


def _made(options: str) -> str:
    server = os.environ.get("TEST_DATABASE_URL", POSTGRES)
    name = f"mlxsite_{uuid.uuid4().hex}"
    with closing(psycopg.connect(server, autocommit=True)) as database:
        database.execute(f"CREATE DATABASE {name} {options}")  # type: ignore[arg-type]
    atexit.register(_drop, server, name)
    return server.rsplit("/", 1)[0] + f"/{name}"


def _drop(server: str, name: str) -> None:
    with closing(psycopg.connect(server, autocommit=True)) as database:
        database.execute(f"DROP DATABASE {name} WITH (FORCE)")  # type: ignore[arg-type]
