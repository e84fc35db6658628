"""Settings come from the environment; what is wrong there is one line."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from mlxsite.environment import Environment
from tests.mlxsite.commands import manage, mlx_server, only_line

SHOW_KEY = "from django.conf import settings; print(settings.SECRET_KEY)"


@pytest.fixture
def environment() -> Environment:
    """Settings without a .env file."""
    return Environment()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("PORT", "abc", "PORT must be a whole number, not 'abc'."),
        ("PORT", "70000", "PORT must be between 1 and 65535, not 70000."),
        ("PORT", "80.5", "PORT must be a whole number, not '80.5'."),
        ("QUEUE_SIZE", "-1", "QUEUE_SIZE must be between 0 and 100000, not -1."),
        ("MAX_CONCURRENCY", "0", "MAX_CONCURRENCY must be between 1 and 1024, not 0."),
    ],
)
def test_it_refuses_a_wrong_whole_number(
    environment: Environment,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str,
    message: str,
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(ImproperlyConfigured) as refusal:
        environment.whole(name)

    assert str(refusal.value) == message


@pytest.mark.parametrize("value", ["nan", "inf", "-1", "1e3x", "soon", "86401"])
def test_it_refuses_a_wrong_duration(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("QUEUE_TIMEOUT", value)

    with pytest.raises(ImproperlyConfigured, match=r"^QUEUE_TIMEOUT must be "):
        environment.seconds("QUEUE_TIMEOUT")


def test_it_takes_the_default_for_an_empty_variable(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORT", "")
    monkeypatch.setenv("QUEUE_TIMEOUT", " ")

    assert environment.whole("PORT") == 8000
    assert environment.seconds("QUEUE_TIMEOUT") == 300


def test_it_refuses_a_flag_that_is_neither_yes_nor_no(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALLOW_NO_AUTH", "ture")

    with pytest.raises(ImproperlyConfigured, match="ALLOW_NO_AUTH must be true or"):
        environment.flag("ALLOW_NO_AUTH")


def test_it_takes_a_key_as_it_is_written(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLX_API_KEY", "$HOME/ #1")

    assert environment.secret("MLX_API_KEY") == "$HOME/ #1"


@pytest.mark.parametrize(
    "url", ["foo", "nosuch://", "postgres//h/db", "nosuch://h/db", "postgres://h"]
)
def test_it_refuses_a_database_url_without_repeating_it(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)

    with pytest.raises(ImproperlyConfigured) as refusal:
        environment.database("DATABASE_URL")

    assert str(refusal.value).startswith("DATABASE_URL is not a database URL")
    assert url not in str(refusal.value)


def test_it_reads_a_dot_env_file_for_what_is_not_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("QUEUE_SIZE", "MAX_CONCURRENCY", "MLX_API_KEY"):
        monkeypatch.setenv(name, "7")  # monkeypatch takes away what the file sets
    monkeypatch.delenv("MAX_CONCURRENCY")
    monkeypatch.delenv("MLX_API_KEY")
    file = tmp_path / ".env"
    file.write_text("# ours\nQUEUE_SIZE=5\nMAX_CONCURRENCY=9\nMLX_API_KEY=a#b\n")

    environment = Environment(file)

    assert environment.whole("QUEUE_SIZE") == 7
    assert environment.whole("MAX_CONCURRENCY") == 9
    assert environment.secret("MLX_API_KEY") == "a#b"


@pytest.mark.parametrize(
    ("name", "value"),
    [("PORT", "abc"), ("LOG_LEVEL", "loud"), ("MODEL_TYPE", "gif"), ("DEBUG", "2")],
)
def test_manage_py_answers_a_wrong_value_with_one_line(name: str, value: str) -> None:
    line = only_line(manage("check", **{name: value}))

    assert line.startswith(f"error: {name} must be ")


def test_mlx_server_answers_a_wrong_value_with_one_line() -> None:
    line = only_line(mlx_server("launch", PORT="70000"))

    assert line == "error: PORT must be between 1 and 65535, not 70000."


def test_it_keeps_one_secret_key_for_its_owner_alone(tmp_path: Path) -> None:
    data_dir = tmp_path / "new" / "data"
    show = ("shell", "-v", "0", "-c", SHOW_KEY)

    first = manage(*show, MLX_DATA_DIR=str(data_dir))
    second = manage(*show, MLX_DATA_DIR=str(data_dir))

    assert len(first.stdout.strip()) >= 50, first.stderr
    assert second.stdout == first.stdout
    assert stat.S_IMODE(data_dir.stat().st_mode) == 0o700
    assert stat.S_IMODE((data_dir / "secret_key").stat().st_mode) == 0o600
    assert [path.name for path in data_dir.iterdir()] == ["secret_key"]


def test_it_says_so_when_the_data_folder_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    line = only_line(manage("check", MLX_DATA_DIR=str(tmp_path / "file" / "data")))

    assert line.startswith("error: The secret key ")
    assert "MLX_DATA_DIR" in line


def test_a_data_folder_of_the_old_name_is_used_until_there_is_one_of_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLX_DATA_DIR", raising=False)
    show = "from django.conf import settings; print(settings.MLX_DATA_DIR)"

    def used() -> Path:
        homes = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
        told = manage("shell", "-v", "0", "-c", show, **homes)
        return Path(told.stdout.strip())

    new = used()
    assert (new.name, new.is_dir()) == ("mlx-server", True)
    shutil.move(new, new.with_name("mlxsite"))
    assert used() == new.with_name("mlxsite")
    new.mkdir()
    assert used() == new


def test_it_closes_a_data_folder_that_others_can_read(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    data_dir.chmod(0o755)

    first = manage("check", MLX_DATA_DIR=str(data_dir))
    second = manage("check", MLX_DATA_DIR=str(data_dir))

    assert stat.S_IMODE(data_dir.stat().st_mode) == 0o700
    told = f"The data folder {data_dir} was open to other users; closed now\n"
    assert told in first.stderr
    assert told not in second.stderr


def test_it_refuses_a_data_folder_that_is_meant_for_everybody(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    data_dir.chmod(0o1777)

    line = only_line(manage("check", MLX_DATA_DIR=str(data_dir)))

    assert line.startswith(f"error: The data folder {data_dir} is open to other users")
    assert "MLX_DATA_DIR" in line
    assert stat.S_IMODE(data_dir.stat().st_mode) == 0o1777
