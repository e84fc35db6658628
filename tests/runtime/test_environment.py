"""Workers start with a fast BLAS where there is one, and never ask a hub."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.runtime.environment import (
    find_openblas,
    needs_openblas,
    worker_environment,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_it_finds_openblas_where_debian_puts_it(tmp_path: Path) -> None:
    library = tmp_path / "usr/lib/some-arch/openblas-pthread/libopenblas.so.0"
    assert find_openblas(tmp_path) is None
    library.parent.mkdir(parents=True)
    library.touch()
    assert find_openblas(tmp_path) == library


def test_it_needs_no_openblas_on_a_mac() -> None:
    assert not needs_openblas("darwin")


def test_it_keeps_a_workers_hands_off_the_hub_and_the_users_settings() -> None:
    environment = worker_environment({"OPENBLAS_CORETYPE": "Haswell", "PATH": "/bin"})
    assert environment["HF_HUB_OFFLINE"] == "1"
    assert environment["OPENBLAS_CORETYPE"] == "Haswell"
    assert environment["PATH"] == "/bin"
