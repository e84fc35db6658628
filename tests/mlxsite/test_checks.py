"""Each mistake in a configuration has an id, and a hint what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.core.checks import WARNING, run_checks

from inference.library import openblas
from mlxsite import checks

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_django.fixtures import Settings


def found_ids() -> set[str]:
    """Return the ids of our own checks that have something to say."""
    ours = [message for message in run_checks() if str(message.id).startswith("mlxs")]
    assert all(message.hint for message in ours)
    return {str(message.id) for message in ours} - {"mlxsite.W002"}


def test_the_defaults_are_sound() -> None:
    assert found_ids() == set()


def test_it_finds_a_data_folder_that_cannot_be_written(
    settings: Settings, tmp_path: Path
) -> None:
    settings.MLX_DATA_DIR = tmp_path / "missing"

    assert found_ids() == {"mlxsite.E001"}


def test_it_finds_a_spool_that_is_no_folder(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "spool").touch()
    settings.MLX_DATA_DIR = tmp_path

    assert found_ids() == {"mlxsite.E002"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"mlxsite.E003"}),
        ({"MLX_API_KEY": "key"}, set()),
        ({"MLX_ALLOW_NO_AUTH": True}, set()),
        ({"MLX_API_KEY": "key", "DEBUG": True}, {"mlxsite.E004"}),
    ],
)
def test_it_judges_a_server_that_others_can_reach(
    settings: Settings, changes: dict[str, Any], expected: set[str]
) -> None:
    settings.MLX_HOST = "0.0.0.0"
    for name, value in changes.items():
        setattr(settings, name, value)

    assert found_ids() == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MLX_QUEUE_SIZE", -1),
        ("MLX_RESPONSES_RETENTION_S", -1.0),
        ("MLX_RESPONSES_MAX_BYTES", 100),
    ],
)
def test_it_finds_a_number_out_of_bounds(
    settings: Settings, name: str, value: float
) -> None:
    setattr(settings, name, value)

    assert found_ids() == {"mlxsite.E005"}


def test_it_finds_an_old_sqlite(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "OLDEST_SQLITE", (99, 0, 0))

    assert found_ids() == {"mlxsite.E006"}


def test_it_finds_a_channel_layer_that_is_not_installed(
    settings: Settings,
) -> None:
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "not_installed.core.Layer"}}

    assert found_ids() == {"mlxsite.E007"}


def test_it_finds_missing_templates(settings: Settings, tmp_path: Path) -> None:
    template = settings.TEMPLATES[0] | {"DIRS": [tmp_path / "missing"]}
    settings.TEMPLATES = [template]

    assert found_ids() == {"mlxsite.E008"}


def test_it_warns_of_a_host_header_that_may_say_anything(
    settings: Settings,
) -> None:
    settings.ALLOWED_HOSTS = ["*"]

    assert found_ids() == {"mlxsite.W001"}


@pytest.mark.parametrize(
    ("choice", "hint"),
    [
        ("auto", "pip install scipy-openblas32, or apt-get install libopenblas"),
        ("bundled", "pip install scipy-openblas32, or apt-get"),
        ("system", "apt-get install libopenblas0-pthread, or unset MLX_OPENBLAS."),
    ],
)
def test_it_warns_where_a_linux_cpu_lacks_openblas(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, choice: str, hint: str
) -> None:
    settings.MLX_OPENBLAS = choice
    monkeypatch.setattr(openblas, "needs_openblas", lambda: True)
    monkeypatch.setattr(openblas, "find_system_openblas", lambda: None)
    monkeypatch.setattr(openblas.PackagedOpenBlas, "find", lambda: None)
    (warning,) = checks.check_openblas(None)
    assert (warning.id, warning.level) == ("mlxsite.W002", WARNING)
    assert str(warning.hint).startswith(hint)


@pytest.mark.parametrize("choice", ["auto", "bundled", "off"])
def test_it_warns_of_no_openblas_where_the_package_is_installed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, choice: str
) -> None:
    settings.MLX_OPENBLAS = choice
    monkeypatch.setattr(openblas, "find_system_openblas", lambda: None)
    assert checks.check_openblas(None) == []


def test_it_is_ready_for_deployment() -> None:
    messages = run_checks(include_deployment_checks=True)

    assert [
        m.id for m in messages if not m.is_silenced() and m.id != "mlxsite.W002"
    ] == []


@pytest.mark.parametrize("name", ["MLX_API_KEY", "MLX_METRICS_KEY"])
@pytest.mark.parametrize("key", ["two words", "schlüssel", "line\nend"])
def test_it_finds_a_key_that_no_client_can_send(
    settings: Settings, name: str, key: str
) -> None:
    setattr(settings, name, key)

    assert found_ids() == {"mlxsite.E009"}
