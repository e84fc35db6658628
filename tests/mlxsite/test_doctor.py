"""`mlx-server doctor` looks at everything, says what to do, and never hangs."""

from __future__ import annotations

import json
import platform
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from inference.conf import ServerConfig
from mlxsite.doctor import machine
from mlxsite.doctor.findings import State, well
from mlxsite.doctor.probes import Probe, ProbeAnswer, all_found
from mlxsite.doctor.stores import check_data_dir
from tests.e2e.servers import Server
from tests.e2e.terminals import on_terminal
from tests.mlxsite.commands import mlx_server
from tests.ports import kept_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def server(
    tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A running server."""
    running = Server(tmp_path_factory.mktemp("doctor") / "data", tiny_model_dir)
    yield running.wait_ready()
    running.kill()


def examined(data_dir: Path, **environment: str) -> tuple[int, dict[str, Any]]:
    """Return the exit code, and what was found by name."""
    with kept_port() as port:
        settings = {"MLX_DATA_DIR": str(data_dir), "PORT": str(port)}
        result = mlx_server("doctor", "--json", **settings | environment)
    found = json.loads(result.stdout)
    assert found["is_healthy"] == (result.returncode == 0)
    return result.returncode, {one["name"]: one for one in found["findings"]}


def test_in_a_terminal_it_has_a_glyph_a_name_and_words_for_each(
    server: Server, tiny_model_dir: Path
) -> None:
    settings = {
        "PORT": str(server.port),
        "MODEL": str(tiny_model_dir),
        "DATABASE_URL": server.record.url,
    }
    with on_terminal(
        "doctor", data_dir=server.data_dir, columns=120, **settings
    ) as terminal:
        assert terminal.wait() == 0
        text = terminal.text
    for line in (
        rf"✓  Python +{platform.python_version()}, ",
        r"✓  machine +.+ cores, .+ of memory",
        r"✓  MLX +\d[\d.]+ computes on the \w+",
        r"[✓!]  BLAS +\w",
        r"✓  database +\w+ .+, migrated",
        rf"✓  data folder +{server.data_dir}, [\d.]+ GB free",
        rf"✓  port {server.port} +our server runs at {server.base_url} with tiny",
        r"✓  model +.*tiny-qwen2-vl needs [\d.]+ MB of ",
    ):
        assert re.search(line, text), text
    assert re.search(r"^(All is well|One thing could be better)\.$", text, re.M)


def test_a_terminal_without_such_characters_gets_plain_ones(tmp_path: Path) -> None:
    with kept_port() as port:
        result = mlx_server(
            "doctor",
            MLX_DATA_DIR=str(tmp_path),
            DATABASE_URL="",
            PYTHONIOENCODING="ascii",
            PORT=str(port),
        )
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.isascii()
    assert "\n+  MLX " in result.stdout
    assert re.search(r"^ +-> The next start makes it", result.stdout, re.M)


def test_what_a_first_start_will_do_is_no_mistake(tmp_path: Path) -> None:
    code, found = examined(tmp_path, DATABASE_URL="")
    assert code == 0
    assert found["database"]["state"] == found["model"]["state"] == State.NOTE
    assert "downloads it" in found["model"]["advice"]
    # To look is not to touch.
    assert not (tmp_path / "db.sqlite3").exists()
    assert not (tmp_path / "models").exists()


def test_it_says_who_else_has_the_port(tmp_path: Path) -> None:
    """A listener that never answers, and one that is another server."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        code, found = examined(tmp_path, PORT=str(port))
    assert code == 1
    words = f"another program listens at http://127.0.0.1:{port}"
    assert found[f"port {port}"]["words"] == words
    assert "choose another port" in found[f"port {port}"]["advice"]


def test_a_server_with_another_key_is_told_from_a_stranger(
    server: Server, tiny_model_dir: Path, tmp_path: Path
) -> None:
    locked = Server(tmp_path / "other", tiny_model_dir, MLX_API_KEY="a")
    try:
        locked.wait_listening()
        _, found = examined(tmp_path, PORT=str(locked.port), MLX_API_KEY="b")
        words = found[f"port {locked.port}"]["words"]
        assert words.endswith("does not take the key of these settings")
        locked.wait_ready()
        code, found = examined(tmp_path, PORT=str(locked.port), MLX_API_KEY="a")
        assert found[f"port {locked.port}"]["words"].startswith("our server runs")
        assert code == 0
    finally:
        locked.kill()


@pytest.mark.parametrize(
    ("model", "state", "words"),
    [
        ("/no/such/folder", State.WRONG, "there is no model at /no/such/folder"),
        ("no-body/nothing", State.NOTE, "no-body/nothing is not here yet"),
        ("mine={whole}", State.WELL, "mine needs "),
        ("{broken}", State.WRONG, "*.safetensors is missing"),
    ],
)
def test_it_looks_for_the_model_of_the_settings(
    tiny_model_dir: Path, tmp_path: Path, model: str, state: State, words: str
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    shutil.copy(tiny_model_dir / "config.json", broken)
    name = model.format(whole=tiny_model_dir, broken=broken)
    _, found = examined(tmp_path, MODEL=name, HF_HOME=str(tmp_path / "hub"))
    assert found["model"]["state"] == state
    assert words in found["model"]["words"]


def test_a_model_larger_than_the_budget_is_wrong(
    tiny_model_dir: Path, tmp_path: Path
) -> None:
    code, found = examined(tmp_path, MODEL=str(tiny_model_dir), MEMORY_BUDGET="1MB")
    assert code == 1
    assert found["model"]["words"].endswith(" of 1.00 MB")
    assert "MEMORY_BUDGET" in found["model"]["advice"]


def test_a_database_that_is_away_locked_or_old_is_told(tmp_path: Path) -> None:
    with kept_port() as port:
        away = f"postgres://ann:pa55word@127.0.0.1:{port}/orders"
        code, found = examined(tmp_path, DATABASE_URL=away)
    assert code == 1
    assert "orders cannot be used: " in found["database"]["words"]
    assert "pa55word" not in json.dumps(found)

    with closing(sqlite3.connect(tmp_path / "db.sqlite3")) as holder:
        _, found = examined(tmp_path, DATABASE_URL="")
        assert re.search(r"lacks \d+ migrations", found["database"]["words"])
        holder.execute("BEGIN EXCLUSIVE")
        code, found = examined(tmp_path, DATABASE_URL="")
    assert code == 1
    assert found["database"]["words"].endswith("database is locked")


def test_settings_that_cannot_be_read_are_one_finding_among_others(
    tmp_path: Path,
) -> None:
    result = mlx_server("doctor", PORT="eighty")
    assert result.returncode == 1
    assert "✕  settings  PORT must be a whole number, not 'eighty'." in result.stdout
    assert "✓  MLX" in result.stdout
    assert result.stderr == ""

    code, found = examined(tmp_path, ALLOW_DOWNLOAD="perhaps")
    assert code == 1
    assert found["settings"]["state"] == State.WRONG


def test_a_data_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    code, found = examined(file / "data", SECRET_KEY="x", DATABASE_URL="")
    assert code == 1
    assert found["data folder"]["words"] == f"{file / 'data'} is no folder"
    assert "MLX_DATA_DIR" in found["data folder"]["advice"]
    # Without a secret key of their own not even the settings can be read.
    code, found = examined(file / "data", SECRET_KEY="")
    assert code == 1
    assert "cannot be kept" in found["settings"]["words"]


@pytest.mark.parametrize(
    ("free_bytes", "state"),
    [(50_000_000, State.WRONG), (10**9, State.WARNING), (10**10, State.WELL)],
)
def test_a_full_disk_is_told_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_bytes: int, state: State
) -> None:
    usage = type("Usage", (), {"free": free_bytes})
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    config = replace(ServerConfig.from_settings(), data_dir=tmp_path)
    (finding,) = check_data_dir(config)
    assert finding.state == state


def test_the_system_checks_speak_through_it(tmp_path: Path) -> None:
    code, found = examined(tmp_path, HOST="0.0.0.0")
    assert code == 1
    assert "Host 0.0.0.0 lets other machines in" in found["settings"]["words"]
    assert "MLX_API_KEY" in found["settings"]["advice"]


def test_an_mlx_that_does_not_start_is_told_with_its_last_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "mlx"
    broken.mkdir()
    (broken / "__init__.py").write_text("")
    (broken / "core.py").write_text("raise ImportError('libmlx.so is gone')")
    started = subprocess.run

    def with_broken_mlx(*words: Any, env: dict[str, str], **options: Any) -> Any:
        path = f"{tmp_path}:{env['PYTHONPATH']}"
        return started(*words, env=env | {"PYTHONPATH": path}, **options)

    monkeypatch.setattr(subprocess, "run", with_broken_mlx)
    (finding,) = machine.check_engine(lambda: machine.ask_engine(None), 0)
    assert finding.state == State.WRONG
    assert finding.words == "ImportError: libmlx.so is gone"


def test_a_translated_python_on_a_mac_is_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(machine, "sysctl", {"sysctl.proc_translated": "1"}.get)
    (finding,) = machine.check_python()
    assert finding.state == State.WRONG
    assert finding.words.endswith("translated by Rosetta")
    assert "arm64" in finding.advice


def test_a_look_that_hangs_is_given_up_and_the_others_are_told() -> None:
    never = threading.Event()

    def hang() -> list[Any]:
        never.wait()
        return []

    probes = [
        Probe("disk", 0.05, hang),
        Probe("clock", 60.0, lambda: [well("clock", "ticks")]),
        Probe("bug", 60.0, lambda: [1 / 0]),  # type: ignore[list-item]
    ]
    disk, clock, bug = all_found(probes)
    never.set()
    assert (disk.state, disk.words) == (State.WRONG, "no answer within 0.05 s")
    assert clock.words == "ticks"
    assert bug.words == "ZeroDivisionError: division by zero"


def test_an_answer_may_be_asked_for_more_than_once() -> None:
    answer = ProbeAnswer(lambda: "here")
    assert [answer.within(60.0), answer.within(60.0)] == ["here", "here"]
