"""`mlx-server bench` against real servers: its tables, its JSON, what is kept."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import uuid
from contextlib import closing
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.e2e.databases import RecordDatabase, RecordFile, migrate, migrated_file
from tests.e2e.servers import REPOSITORY, Server
from tests.e2e.terminals import CTRL_C, on_terminal
from tests.ports import kept_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MODEL = "tiny-qwen2-vl"
QUICK = ("--requests", "4", "--concurrency", "1,4", "--max-tokens", "4")


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A client's data folder, with a database that has all tables."""
    folder = tmp_path / "client"
    folder.mkdir()
    shutil.copy(migrated_file(), folder)
    return folder


@pytest.fixture
def own_database_url(postgres_url: str, tmp_path: Path) -> Iterator[str]:
    """A PostgreSQL database of its own, with all tables."""
    name = f"bench_{uuid.uuid4().hex}"
    url = f"{postgres_url.rpartition('/')[0]}/{name}"
    with closing(psycopg.connect(postgres_url, autocommit=True)) as server:
        server.execute(f"CREATE DATABASE {name}")  # type: ignore[arg-type]
        migrate(tmp_path, url)
        yield url
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")  # type: ignore[arg-type]


def bench(
    server: Server, data_dir: Path, *words: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    url = ("--base-url", f"{server.base_url}/v1")
    return subprocess.run(
        [sys.executable, "-m", "mlxsite", "bench", MODEL, *url, *words],
        cwd=REPOSITORY,
        env=os.environ
        | {"MLX_DATA_DIR": str(data_dir), "DATABASE_URL": "", "NODE_NAME": "here"}
        | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def kept(data_dir: Path) -> list[dict[str, Any]]:
    """Return the rows of benchmarks, oldest first."""
    return RecordFile(data_dir).select("SELECT * FROM metrics_benchrun ORDER BY id")


def test_it_prints_a_table_per_level_and_keeps_the_run(
    tiny_server: Server, data_dir: Path
) -> None:
    before = tiny_server.count_rows()
    result = bench(tiny_server, data_dir, *QUICK, "--note", "before lunch")

    assert result.returncode == 0, result.stderr
    lines = [line.split() for line in result.stdout.splitlines()]
    assert [line for line in lines if line[1:] == ["at", "a", "time"]] == [
        ["1", "at", "a", "time"],
        ["4", "at", "a", "time"],
    ]
    assert lines.count(["p50", "p95", "p99"]) == 2
    assert [line[:2] for line in lines].count(["first", "token"]) == 2
    assert result.stdout.count("4 requests in ") == 2
    assert "round 1 of 1" in result.stderr
    assert "Kept as run 1: http://127.0.0.1:8000/admin/" in result.stderr

    (row,) = kept(data_dir)
    assert (row["model"], row["note"], row["node"]) == (MODEL, "before lunch", "here")
    assert row["base_url"] == f"{tiny_server.base_url}/v1"
    levels = json.loads(row["levels"])
    assert [level["concurrency"] for level in levels] == [1, 4]
    assert [level["completion_tokens"] for level in levels] == [16, 16]
    assert all(0 < level["ttft"]["p50"] <= level["ttft"]["p99"] for level in levels)
    assert json.loads(row["hardware"])["cores"] > 0
    assert json.loads(row["versions"])["mlx"]
    # 5 to warm up, 8 that count: the server saw every request, and none was refused.
    rows = tiny_server.wait_rows(before + 13)
    assert {one["outcome"] for one in rows.values()} == {"finished"}


def test_it_writes_all_figures_as_json(tiny_server: Server, data_dir: Path) -> None:
    piped = bench(tiny_server, data_dir, *QUICK, "--no-keep", "--json")
    file = data_dir / "figures.json"
    written = bench(tiny_server, data_dir, *QUICK, "--no-keep", "--json", str(file))

    found = json.loads(piped.stdout)
    assert found["parameters"]["requests"] == [4, 4]
    assert found["levels"][1]["inter_token"]["p95"] > 0
    assert found["pairs"] == []
    assert json.loads(file.read_text()).keys() == found.keys()
    assert "4 at a time" in written.stdout
    assert kept(data_dir) == []


def test_it_asks_prompts_of_a_length_or_of_a_file(
    tiny_server: Server, data_dir: Path
) -> None:
    few = ("--requests", "2", "--concurrency", "2", "--json", "--no-keep")
    long = bench(tiny_server, data_dir, *few, "--input-tokens", "300")
    level = json.loads(long.stdout)["levels"][0]
    assert abs(level["prompt_tokens"] / level["requests"] - 300) < 15

    file = data_dir / "prompts.txt"
    file.write_text('Count to twenty.\n\n{"messages": [{"role": "user"}]}\n')
    mixed = bench(tiny_server, data_dir, *few, "--prompt-file", str(file))
    level = json.loads(mixed.stdout)["levels"][0]
    assert level["errors"] == 1
    assert "messages" in level["first_error"]
    assert mixed.returncode == 1


def test_two_servers_are_measured_in_turns_and_compared_pair_by_pair(
    tiny_server: Server, tiny_model_dir: Path, tmp_path: Path, data_dir: Path
) -> None:
    other = Server(tmp_path / "other", tiny_model_dir, MLX_API_KEY="s3cret")
    try:
        other.wait_ready()
        against = ("--against", other.base_url, "--against-key", "s3cret")
        words = (*QUICK, "--rounds", "3", *against)
        result = bench(tiny_server, data_dir, *words)
        assert len(other.wait_rows(29)) == 29  # as many as this one: 5 and 24
    finally:
        other.kill()

    assert result.returncode == 0, result.stderr
    assert f"this ({tiny_server.base_url[7:]}): " in result.stdout
    assert f"other ({other.base_url[7:]}): " in result.stdout
    lines = [line.split() for line in result.stdout.splitlines()]
    first = [line[:2] for line in lines if line[:1] in (["1"], ["2"], ["3"])]
    turns = [["1", "this"], ["2", "other"], ["3", "this"]]
    assert [line for line in first if line[1] != "at"] == turns * 2

    (row,) = kept(data_dir)
    assert row["against_url"] == f"{other.base_url}/v1"
    assert "s3cret" not in json.dumps(row)
    pairs, ratios = json.loads(row["pairs"]), json.loads(row["ratios"])
    for pair in pairs:
        this, that = pair["tokens_per_s"]
        assert pair["tokens_per_s_ratio"] == pytest.approx(this / that)
    found = sorted(pair["tokens_per_s_ratio"] for pair in pairs[:3])
    told = ratios[0]["tokens_per_s"]
    assert [told["least"], told["median"], told["most"]] == found
    assert f"{found[1]:.2f}" in result.stdout


def test_without_a_database_the_figures_are_printed_all_the_same(
    tiny_server: Server, tmp_path: Path
) -> None:
    absent = bench(tiny_server, tmp_path, *QUICK)
    assert not (tmp_path / "db.sqlite3").exists()
    sqlite3.connect(tmp_path / "db.sqlite3").close()
    empty = bench(tiny_server, tmp_path, *QUICK)
    with kept_port() as port:
        url = f"postgres://nobody@127.0.0.1:{port}/nothing"
        away = bench(tiny_server, tmp_path, *QUICK, DATABASE_URL=url)

    for result, why in (
        (absent, "there is no database at "),
        (empty, "has no table for it yet: `mlx-server migrate`"),
        (away, "the database nothing cannot be used: "),
    ):
        assert result.returncode == 0, result.stderr
        assert "4 at a time" in result.stdout
        last = result.stderr.splitlines()[-1]
        assert last.startswith("Not kept: ")
        assert why in last


def test_it_keeps_the_run_in_postgresql_too(
    tiny_server: Server, tmp_path: Path, own_database_url: str
) -> None:
    result = bench(tiny_server, tmp_path, *QUICK, DATABASE_URL=own_database_url)
    assert result.returncode == 0, result.stderr
    query = "SELECT model, levels FROM metrics_benchrun"
    (row,) = RecordDatabase(own_database_url).select(query)
    assert row["model"] == MODEL
    assert len(json.loads(row["levels"])) == 2


def test_a_locked_database_is_not_waited_for_long(
    tiny_server: Server, data_dir: Path
) -> None:
    with closing(sqlite3.connect(data_dir / "db.sqlite3")) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        result = bench(tiny_server, data_dir, *QUICK)

    assert result.returncode == 0, result.stderr
    assert "4 at a time" in result.stdout
    assert result.stderr.splitlines()[-1].endswith("database is locked")
    assert kept(data_dir) == []


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--requests", "-1"), "argument --requests: must be between 1 and 100000"),
        (("--concurrency", "8,-2"), "argument --concurrency: must be between 1 and"),
        (("--concurrency", ","), "argument --concurrency: must be 1 to 16 numbers"),
        (("--rounds", "0"), "argument --rounds: must be between 1 and 1000, not 0"),
        (("--max-tokens", "1e3"), "argument --max-tokens: must be a whole number"),
        (("--input-tokens", "0"), "argument --input-tokens: must be between 1 and"),
        (("--timeout", "nan"), "argument --timeout: must be between 1"),
        (("--against", "ftp://x"), "argument --against: 'ftp://x' is no address"),
        (("--json", "/no/such/f.json"), "--json /no/such/f.json: there is no such"),
        (("--requests", "2"), "--requests 2 is too few for --concurrency 8"),
        (("--prompt-file", "/no/such"), "/no/such cannot be read: No such file"),
        (("--input-tokens", "5"), "--input-tokens must be more than "),
    ],
)
def test_what_cannot_be_measured_is_refused_by_name(
    tiny_server: Server, tmp_path: Path, words: tuple[str, ...], line: str
) -> None:
    result = bench(tiny_server, tmp_path, *words)
    assert result.returncode == 2
    assert line in result.stderr.splitlines()[-1]
    assert result.stdout == ""


def test_a_server_that_refuses_or_is_not_there_is_one_line(
    tiny_server: Server, tmp_path: Path
) -> None:
    with kept_port() as port:
        nowhere = f"127.0.0.1:{port}"
        absent = bench(tiny_server, tmp_path, *QUICK, "--against", nowhere)
    assert absent.returncode == 1
    assert absent.stderr == f"error: {nowhere}: nobody answers there\n"

    words = ("--against-model", "nobody", "--against", tiny_server.base_url)
    unknown = bench(tiny_server, tmp_path, *QUICK, *words)
    assert unknown.returncode == 1
    assert "404: The model `nobody` is not served here" in unknown.stderr
    assert unknown.stderr.count("\n") == 1


def test_what_was_measured_before_a_server_died_is_told(
    tiny_server: Server, tiny_model_dir: Path, tmp_path: Path, data_dir: Path
) -> None:
    other = Server(tmp_path / "other", tiny_model_dir)
    try:
        other.wait_ready()
        url = ("--base-url", f"{tiny_server.base_url}/v1", "--against", other.base_url)
        words = ("bench", MODEL, *url, "--concurrency", "1,2", "--requests", "40")
        with on_terminal(*words, data_dir=data_dir, columns=100) as terminal:
            terminal.wait_for(r"round 1 of 5, ")
            other.kill()
            assert terminal.wait() == 1
    finally:
        other.kill()
    assert "1 at a time" in terminal.text
    assert "the first error: " in terminal.text
    assert f"error: {other.base_url[7:]}: nobody answers there" in terminal.text
    assert "Traceback" not in terminal.text
    assert kept(data_dir) == []


def test_in_a_terminal_it_shows_how_far_it_is_and_ctrl_c_tells_what_there_is(
    rambler_server: Server, data_dir: Path
) -> None:
    url = ("--base-url", f"{rambler_server.base_url}/v1")
    words = ("bench", "rambler", *url, "--concurrency", "1,2", "--max-tokens", "16")
    long = ("--requests", "20", "--rounds", "400")
    with on_terminal(*words, *long, data_dir=data_dir, columns=100) as terminal:
        terminal.wait_for(
            r"/16000 1 at a time, round ([2-9]|\d\d+) of 400, 127.0.0.1:\d+ 0:0\d"
        )
        terminal.type(CTRL_C)
        assert terminal.wait() == 130
        assert "tok/s, " in terminal.text
        assert "between tokens" in terminal.text
        assert "Stopped before the end: the run is not kept." in terminal.text
        assert "Traceback" not in terminal.text
    assert kept(data_dir) == []
