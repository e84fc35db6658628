"""A start that cannot succeed says why in one line, before it changes anything."""

from __future__ import annotations

import json
import re
import resource
import shutil
import socket
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.core.management import call_command

from mlxsite.startup.admin_user import ensure_admin, reset_admin
from mlxsite.startup.descriptors import raise_descriptor_limit
from mlxsite.startup.errors import StartupError
from mlxsite.startup.model_source import resolve_model
from mlxsite.startup.network import base_url, is_loopback
from tests.mlxsite.commands import (
    mlx_server,
    mlx_server_with_open_files,
    only_line,
)
from tests.ports import kept_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port another program listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def free_port() -> Iterator[int]:
    """A port nobody listens on."""
    with kept_port() as port:
        yield port


def test_it_names_the_port_that_is_in_use(taken_port: int) -> None:
    line = only_line(mlx_server("launch", "--port", str(taken_port)))

    assert line.startswith(f"error: port {taken_port} on 127.0.0.1 is already in use")


def test_it_refuses_an_address_of_another_machine(free_port: int) -> None:
    line = only_line(
        mlx_server(
            *("launch", "--host", "192.0.2.1", "--port", str(free_port)),
            MLX_API_KEY="key",
        )
    )

    assert line.startswith("error: 192.0.2.1 is not an address of this machine")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "mac.local"])
def test_it_refuses_a_network_without_a_key(host: str, free_port: int) -> None:
    line = only_line(mlx_server("launch", "--host", host, "--port", str(free_port)))

    assert line.startswith(f"error: Host {host} lets other machines in, and no key")
    assert line.endswith("(mlxsite.E003)")


def test_it_refuses_debug_on_a_network(free_port: int) -> None:
    line = only_line(
        mlx_server(
            *("launch", "--host", "0.0.0.0", "--port", str(free_port)),
            ALLOW_NO_AUTH="1",
            DEBUG="1",
        )
    )

    assert line.endswith("(mlxsite.E004)")


def test_it_says_which_database_cannot_be_reached(free_port: int) -> None:
    url = f"postgres://user:pa55word@127.0.0.1:{free_port}/orders"

    line = only_line(mlx_server("launch", "--port", str(free_port), DATABASE_URL=url))

    assert line.startswith("error: the database orders cannot be used: ")
    assert "pa55word" not in line


def test_it_names_a_missing_model(free_port: int, tmp_path: Path) -> None:
    result = mlx_server(
        *("launch", "--port", str(free_port), "--model-path", "/no/such/model"),
        MLX_DATA_DIR=str(tmp_path),
    )

    assert only_line(result).startswith("error: no model at /no/such/model: ")
    assert "migrations applied" in result.stdout


def test_it_shows_the_admin_password_once(free_port: int, tmp_path: Path) -> None:
    words = ("launch", "--port", str(free_port), "--model-path", "/no/such/model")

    first = mlx_server(*words, MLX_DATA_DIR=str(tmp_path))
    second = mlx_server(*words, MLX_DATA_DIR=str(tmp_path))

    url = f"http://127.0.0.1:{free_port}/admin/"
    assert re.search(rf"{url}  user: admin  password: \S{{16}}\n", first.stdout)
    assert second.stdout == ""


def test_it_refuses_to_start_where_too_few_files_may_be_open(free_port: int) -> None:
    line = only_line(
        mlx_server_with_open_files(100, "launch", "--port", str(free_port))
    )

    assert line == (
        "error: this process may have 100 files open and needs 256 at least: raise the "
        "hard limit (ulimit -Hn, LimitNOFILE)"
    )


def test_it_says_where_two_clients_could_hold_every_place(
    free_port: int, tmp_path: Path
) -> None:
    words = ("launch", "--port", str(free_port), "--model-path", "/no/such/model")
    place = {"MLX_DATA_DIR": str(tmp_path)}

    short = mlx_server_with_open_files(500, *words, **place)
    enough = mlx_server_with_open_files(
        500, *words, **place, CONNECTIONS_PER_CLIENT="100"
    )

    assert short.stderr.startswith(
        "warning: 500 files may be open (ulimit -Hn), which leaves places for about "
        "244 connections, and one address may hold 256: "
    )
    assert "warning" not in enough.stderr


def test_it_raises_the_soft_limit_of_open_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limits = {"soft": 256}
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limits["soft"], 5000))
    monkeypatch.setattr(
        resource, "setrlimit", lambda _, both: limits.update(soft=both[0])
    )

    assert raise_descriptor_limit(256) == ""
    assert limits == {"soft": 5000}


def test_it_finds_a_model_folder(tiny_model_dir: Path, tmp_path: Path) -> None:
    source = resolve_model(str(tiny_model_dir), data_dir=tmp_path)

    assert source.key == "tiny-qwen2-vl"
    assert source.path == str(tiny_model_dir)


def test_it_refuses_a_model_folder_whose_name_steers_a_terminal(
    tiny_model_dir: Path, tmp_path: Path
) -> None:
    evil = tmp_path / "evil\x1b[2Jname"
    evil.symlink_to(tiny_model_dir)
    copied = tmp_path / "evil\x07"
    shutil.copytree(tiny_model_dir, copied)

    assert resolve_model(str(evil), data_dir=tmp_path).key == "tiny-qwen2-vl"
    with pytest.raises(StartupError, match=r"\\x07.* is no name for a model"):
        resolve_model(str(copied), data_dir=tmp_path)


def test_it_names_what_a_model_folder_lacks(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match=r"config\.json is missing"):
        resolve_model(str(tmp_path), data_dir=tmp_path)

    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(StartupError, match=r"\*\.safetensors is missing"):
        resolve_model(str(tmp_path), data_dir=tmp_path)

    shards = {"a": "model-1.safetensors", "b": "model-2.safetensors"}
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": shards}))
    (tmp_path / "model-1.safetensors").touch()
    with pytest.raises(StartupError, match=r"model-2\.safetensors is missing"):
        resolve_model(str(tmp_path), data_dir=tmp_path)


def test_it_says_so_when_no_hub_is_in_reach(free_port: int, tmp_path: Path) -> None:
    result = mlx_server(
        *("launch", "--port", str(free_port), "--model-path", "nobody/nothing"),
        MLX_DATA_DIR=str(tmp_path),
        HF_HOME=str(tmp_path / "hub"),
        HF_ENDPOINT=f"http://127.0.0.1:{free_port}",
    )

    assert result.returncode == 2
    assert result.stderr.splitlines()[-1] == (
        "error: no such folder here, and nobody/nothing cannot be fetched: no hub in "
        f"reach at http://127.0.0.1:{free_port}"
    )


@pytest.mark.django_db
def test_a_new_password_opens_the_admin(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("admin_login", "--reset")

    found = re.search(r"User: (\S+)\nPassword: (\S+)", capsys.readouterr().out)
    assert found is not None
    user = authenticate(username=found[1], password=found[2])
    assert user is not None
    assert user.is_staff


@pytest.mark.django_db
def test_it_makes_no_admin_where_there_is_a_superuser() -> None:
    get_user_model().objects.create_superuser("chief", password="x")

    assert ensure_admin() is None
    assert not get_user_model().objects.filter(username="admin").exists()


@pytest.mark.django_db
def test_a_reset_makes_the_old_password_worthless() -> None:
    old = ensure_admin()
    new = reset_admin()

    assert authenticate(username="admin", password=old) is None
    assert authenticate(username="admin", password=new) is not None


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("localhost.example.com", False),
    ],
)
def test_it_knows_who_can_reach_a_host(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_it_shows_addresses_a_browser_can_open() -> None:
    assert base_url("0.0.0.0", 8000) == "http://127.0.0.1:8000"
    assert base_url("::1", 8000) == "http://[::1]:8000"
