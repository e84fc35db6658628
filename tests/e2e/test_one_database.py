"""Several servers on one database, each on its own data folder."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.e2e.databases import SQLITE, shared_record
from tests.e2e.servers import REPOSITORY, START_S, Server, wait_until
from tests.ports import kept_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.e2e.databases import RecordDatabase, RecordFile

pytestmark = pytest.mark.slow

ENDLESS: dict[str, Any] = {
    "model": "rambler",
    "messages": [{"role": "user", "content": "Hello"}],
    "max_tokens": 100_000,
    "stream": True,
}
HASTY = """
import os
import sys
import django

os.environ["DJANGO_SETTINGS_MODULE"] = "mlxsite.settings"
django.setup()

from metrics.recorder.heartbeat import RunHeartbeat
from mlxsite.cli import manage

RunHeartbeat.__init__.__kwdefaults__["every_s"] = 2.0
sys.exit(manage(["manage.py", *sys.argv[1:]]))
"""
OUTCOMES = "SELECT outcome, reason, count(*) AS n FROM metrics_requestlog GROUP BY 1, 2"
SUMS = (
    "SELECT level, sum(requests) AS r, sum(interrupted) AS i, sum(cancelled) AS c"
    " FROM metrics_rollup GROUP BY level"
)
LOSSES = "SELECT node, data FROM metrics_servereventlog WHERE kind = 'server_lost'"


class HastyServer(Server):
    """A server that beats every two seconds, and so is missed after twelve."""

    program = ("-c", HASTY)


@pytest.fixture(params=["sqlite", "postgres"])
def record(
    request: pytest.FixtureRequest, tmp_path: Path
) -> RecordFile | RecordDatabase:
    """A database with all tables and nothing in them."""
    return shared_record(request.param, tmp_path / "database")


@pytest.fixture
def start_node(
    record: RecordFile | RecordDatabase, tmp_path: Path
) -> Iterator[Callable[[str, Path], Server]]:
    """Start servers on that database; they end with the test."""
    with ExitStack() as ends:

        def start(node: str, model: Path) -> Server:
            server = HastyServer(
                tmp_path / node, model, DATABASE_URL=record.url, NODE_NAME=node
            )
            ends.callback(end, server)
            return server

        yield start


def end(server: Server) -> None:
    if server.process.poll() is None:
        server.kill()


def begin(server: Server, count: int) -> list[Any]:
    """Begin endless answers; return their streams once the rows run."""
    client = server.client()
    streams = [client.chat.completions.create(**ENDLESS) for _ in range(count)]
    for stream in streams:
        next(iter(stream))
    wait_until(
        lambda: outcomes(server.record) == {("running", ""): count}, "running rows"
    )
    return streams


def outcomes(record: RecordFile | RecordDatabase) -> dict[tuple[str, str], int]:
    return {
        (row["outcome"], row["reason"]): row["n"] for row in record.select(OUTCOMES)
    }


def wait_ended_by_others(record: RecordFile | RecordDatabase, count: int) -> None:
    """Return once all rows are ended as after a crash: after twelve seconds."""
    lost = {("interrupted", "crash"): count}
    wait_until(lambda: outcomes(record) == lost, "ends of the rows", START_S)


def sums(record: RecordFile | RecordDatabase) -> set[tuple[int, int, int]]:
    """Return requests, interrupted and cancelled ones: the same on every level."""
    return {(int(r["r"]), int(r["i"]), int(r["c"])) for r in record.select(SUMS)}


def test_what_a_server_that_is_gone_with_its_folder_left_running_is_ended_once(
    record: RecordFile | RecordDatabase,
    start_node: Callable[[str, Path], Server],
    rambler_dir: Path,
    tiny_model_dir: Path,
) -> None:
    lost = start_node("lost", rambler_dir).wait_ready()
    streams = begin(lost, 3)
    lost.kill()
    shutil.rmtree(lost.data_dir)
    others = [start_node(node, tiny_model_dir) for node in ("one", "other")]
    for other in others:
        other.wait_listening()

    wait_ended_by_others(record, 3)
    assert [other.stop() for other in others] == [0, 0]

    (told,) = record.select(LOSSES)
    assert told["node"] == "lost"
    assert '"interrupted": 3' in told["data"]
    assert sums(record) == {(3, 3, 0)}
    assert record.select("SELECT * FROM metrics_serverrun") == []
    del streams


def test_a_server_that_slept_ends_its_own_requests_after_all(
    record: RecordFile | RecordDatabase,
    start_node: Callable[[str, Path], Server],
    rambler_dir: Path,
    tiny_model_dir: Path,
) -> None:
    asleep = start_node("asleep", rambler_dir).wait_ready()
    streams = begin(asleep, 2)
    awake = start_node("awake", tiny_model_dir).wait_ready()
    asleep.process.send_signal(signal.SIGSTOP)
    wait_ended_by_others(record, 2)
    assert sums(record) == {(2, 2, 0)}

    asleep.process.send_signal(signal.SIGCONT)
    for stream in streams:
        stream.close()
    wait_until(
        lambda: outcomes(record) == {("cancelled", "client_disconnected"): 2},
        "the real ends",
    )
    assert sums(record) == {(2, 0, 2)}
    assert [server.stop() for server in (asleep, awake)] == [0, 0]
    assert sums(record) == {(2, 0, 2)}
    assert [told["node"] for told in record.select(LOSSES)] == ["asleep"]


def test_two_first_starts_at_once_print_one_password_that_works(
    record: RecordFile | RecordDatabase, tmp_path: Path
) -> None:
    with ExitStack() as ports:
        with users_held(record.url) as has_stopped:
            starts = [
                first_start(
                    tmp_path / name, record.url, ports.enter_context(kept_port())
                )
                for name in ("one", "other")
            ]
            wait_until(lambda: has_stopped(starts), "two starts that wait", START_S)
        said = [start.communicate(timeout=START_S)[0] for start in starts]

    passwords = re.findall(r"password: (\S+)", "".join(said))
    assert len(passwords) == 1
    assert works(passwords[0], tmp_path / "one", record.url)
    (loser,) = (text for text in said if "password: " not in text)
    assert "user: admin, made just now by another process" in loser


def test_two_first_starts_on_a_file_that_is_not_there_yet_make_it_once(
    tmp_path: Path,
) -> None:
    (tmp_path / "database").mkdir()
    url = f"{SQLITE}{tmp_path}/database/db.sqlite3"
    with ExitStack() as ports:
        starts = [
            first_start(tmp_path / name, url, ports.enter_context(kept_port()))
            for name in ("one", "other")
        ]
        said = [start.communicate(timeout=START_S) for start in starts]

    assert all("no model at /no/such/model" in errors for _, errors in said)
    (password,) = re.findall(r"password: (\S+)", "".join(words for words, _ in said))
    assert works(password, tmp_path / "one", url)


def first_start(folder: Path, url: str, port: int) -> subprocess.Popen[str]:
    """Begin a start that has no model and so ends after it has made the user."""
    words = ("launch", "--port", str(port), "--model-path", "/no/such/model")
    return subprocess.Popen(
        [sys.executable, "-m", "mlxsite", *words],
        cwd=REPOSITORY,
        env={**os.environ, "MLX_DATA_DIR": str(folder), "DATABASE_URL": url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def users_held(
    url: str,
) -> Iterator[Callable[[list[subprocess.Popen[str]]], bool]]:
    """Hold the users against writers; yield what says whether starts have come so far."""
    if url.startswith(SQLITE):
        path = Path(url.removeprefix(SQLITE))
        with closing(sqlite3.connect(path, isolation_level=None)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            yield lambda starts: all(has_open(start, path) for start in starts)
            holder.rollback()
        return
    with (
        closing(psycopg.connect(url)) as holder,
        closing(psycopg.connect(url, autocommit=True)) as onlooker,
    ):
        holder.execute("LOCK TABLE auth_user IN SHARE ROW EXCLUSIVE MODE")
        yield lambda starts: waiting(onlooker) == len(starts)


def has_open(process: subprocess.Popen[str], path: Path) -> bool:
    files = Path(f"/proc/{process.pid}/fd")
    return path in [file.readlink() for file in files.iterdir() if file.is_symlink()]


def waiting(onlooker: psycopg.Connection[Any]) -> int:
    found = onlooker.execute(
        "SELECT count(*) FROM pg_locks JOIN pg_class ON relation = pg_class.oid"
        " WHERE relname = 'auth_user' AND NOT granted"
    ).fetchone()
    assert found
    return int(found[0])


def works(password: str, folder: Path, url: str) -> bool:
    """Whether the password lets `admin` in."""
    code = (
        "import sys, django; django.setup();"
        "from django.contrib.auth import authenticate;"
        "sys.exit(not authenticate(username='admin', password=sys.argv[1]))"
    )
    environment = {
        **os.environ,
        "MLX_DATA_DIR": str(folder),
        "DATABASE_URL": url,
        "DJANGO_SETTINGS_MODULE": "mlxsite.settings",
    }
    done = subprocess.run(
        [sys.executable, "-c", code, password], cwd=REPOSITORY, env=environment
    )
    return done.returncode == 0
