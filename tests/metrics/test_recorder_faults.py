"""Trouble with disk and database: the request path never notices, no row is lost."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.db import connections

from metrics.models import RequestLog
from mlxsite.databases import default_database as sqlite_settings
from tests.metrics.cast import (
    default_database,
    ended,
    eventually,
    new_recorder,
    recording,
    spool_files,
    started,
)

SCRIPTS = Path(__file__).parent / "scripts"


def impatient(path: Path, pragmas: str = "") -> dict[str, Any]:
    """Return settings for a database that gives up on a lock at once."""
    settings = sqlite_settings(path)
    options = {"timeout": 0.05, "init_command": f"PRAGMA busy_timeout=50;{pragmas}"}
    return settings | {"OPTIONS": settings["OPTIONS"] | options}


def test_it_loses_nothing_while_the_database_is_locked(
    tmp_path: Path, sqlite_file: Path
) -> None:
    records = [started() for _ in range(300)]
    with default_database(**impatient(sqlite_file)), recording(tmp_path) as recorder:
        locker = sqlite3.connect(sqlite_file, isolation_level=None)
        locker.execute("BEGIN IMMEDIATE")
        for record in records:
            recorder.request_started(record)
            recorder.request_finished(ended(record))
        assert eventually(lambda: "locked" in recorder.last_error)
        assert recorder.spool_lag_bytes > 0
        assert RequestLog.objects.count() == 0
        locker.rollback()
        locker.close()
        assert recorder.flush()
        assert RequestLog.objects.filter(outcome="finished").count() == 300
        assert (recorder.last_error, recorder.dropped_total) == ("", 0)


def test_it_waits_for_a_database_without_tables(
    tmp_path: Path, sqlite_file: Path, migrated_file: Path
) -> None:
    other = tmp_path / "other.sqlite3"
    with default_database(**sqlite_settings(other)), recording(tmp_path) as recorder:
        recorder.request_finished(ended(started()))
        assert eventually(lambda: "no such table" in recorder.last_error)
        shutil.copy(migrated_file, other)
        assert recorder.flush()
        assert RequestLog.objects.count() == 1


def test_it_waits_while_the_database_is_read_only(
    tmp_path: Path, sqlite_file: Path
) -> None:
    read_only = impatient(sqlite_file, "PRAGMA query_only=ON;")
    with default_database(**read_only), recording(tmp_path) as recorder:
        recorder.request_finished(ended(started()))
        assert eventually(lambda: "readonly" in recorder.last_error)
        connections.settings["default"] |= sqlite_settings(sqlite_file)
        assert recorder.flush()
        assert RequestLog.objects.count() == 1


def test_a_stop_without_a_database_leaves_the_spool_to_the_next_start(
    tmp_path: Path, sqlite_file: Path
) -> None:
    recorder = new_recorder(tmp_path, "first")
    locker = sqlite3.connect(sqlite_file, isolation_level=None)
    with default_database(**impatient(sqlite_file)):
        recorder.start()
        locker.execute("BEGIN IMMEDIATE")
        recorder.request_finished(ended(started("first")))
        assert not recorder.stop(timeout_s=0.3)
        recorder._thread.join()
        locker.rollback()
    assert len(spool_files(tmp_path)) == 1
    with recording(tmp_path, "second"):
        assert RequestLog.objects.get().outcome == "finished"
    assert spool_files(tmp_path) == []


def test_rows_arrive_without_a_spool_that_can_be_written(
    tmp_path: Path, sqlite_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "spool").write_text("no folder can be made here")
    with caplog.at_level(logging.WARNING), recording(tmp_path) as recorder:
        record = started()
        recorder.request_started(record)
        recorder.request_finished(ended(record))
        assert recorder.flush()
        assert RequestLog.objects.get().outcome == "finished"
        assert "spool" in recorder.last_error
    assert "Cannot write to the spool" in caplog.text


def test_it_counts_what_neither_disk_nor_memory_can_hold(
    tmp_path: Path, sqlite_file: Path
) -> None:
    (tmp_path / "spool").write_text("no folder can be made here")
    locker = sqlite3.connect(sqlite_file, isolation_level=None)
    with (
        default_database(**impatient(sqlite_file)),
        recording(tmp_path, backlog_lines=3) as recorder,
    ):
        locker.execute("BEGIN IMMEDIATE")
        for _ in range(10):
            recorder.request_finished(ended(started()))
        assert recorder.dropped_total == 7
        locker.rollback()
        assert recorder.flush()
        assert RequestLog.objects.count() == 3


def test_a_full_disk_costs_no_row(tmp_path: Path, sqlite_file: Path) -> None:
    done = subprocess.run(
        [sys.executable, SCRIPTS / "fill_the_disk.py"],
        env=os.environ | {"MLX_DATA_DIR": str(tmp_path), "DATABASE_URL": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["error_while_full"].startswith("spool: ")
    assert told["backlog_while_full"] > 0
    assert told["dropped"] == 0
    assert told["rows"] == told["recorded"] == 40
    assert told["running"] == 0


def test_a_late_record_after_stop_is_not_lost(
    tmp_path: Path, sqlite_file: Path
) -> None:
    recorder = new_recorder(tmp_path, "first")
    recorder.start()
    assert recorder.stop()
    recorder.request_finished(ended(started("first")))
    recorder._spool.close()  # as the end of the process would
    with recording(tmp_path, "second"):
        assert RequestLog.objects.count() == 1


@pytest.mark.usefixtures("postgres")
def test_it_gives_its_connection_back(tmp_path: Path) -> None:
    def connected() -> set[int]:
        with connections["default"].cursor() as cursor:
            # Not the server's own: it cleans up where and when it likes.
            cursor.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
                "AND backend_type = 'client backend'"
            )
            return {pid for (pid,) in cursor.fetchall()}

    # One that the test before gave back may still be about to go.
    before = connected()
    with recording(tmp_path) as recorder:
        recorder.request_started(started())
        assert recorder.flush()
        (its_own,) = connected() - before
    assert eventually(lambda: its_own not in connected())


@pytest.mark.usefixtures("postgres")
def test_it_connects_again_when_the_server_has_cut_its_connection(
    tmp_path: Path,
) -> None:
    with recording(tmp_path) as recorder:
        recorder.request_started(started())
        assert recorder.flush()
        with connections["default"].cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        recorder.request_started(started())
        assert recorder.flush()
        assert RequestLog.objects.count() == 2
