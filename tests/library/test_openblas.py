"""A Linux CPU computes with OpenBLAS, whether the system has one or not."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import parse_wheel_filename

from inference.library import machine, openblas
from inference.library.openblas import (
    OpenBlasError,
    PackagedOpenBlas,
    find_system_openblas,
    lacks_openblas,
    needs_openblas,
    provide_openblas,
)
from tests.mlxsite.commands import REPOSITORY

WHEELS = Path(__file__).parent / "openblas_wheels.json"
on_linux_cpu = pytest.mark.skipif(
    not needs_openblas(), reason="MLX brings a fast BLAS here"
)


def contents(folder: Path) -> set[str]:
    """Return what lies in the folder beside the lock."""
    return {path.name for path in folder.iterdir()} - {".lock"}


def test_it_finds_the_systems_where_debian_puts_it(tmp_path: Path) -> None:
    library = tmp_path / "usr/lib/some-arch/openblas-pthread/libopenblas.so.0"
    assert find_system_openblas(tmp_path) is None
    library.parent.mkdir(parents=True)
    library.touch()
    assert find_system_openblas(tmp_path) == library


def test_a_mac_needs_none() -> None:
    assert not needs_openblas("darwin")


def test_a_gpu_needs_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    installed = machine._is_installed
    monkeypatch.setattr(
        machine, "_is_installed", lambda name: name == "mlx-cuda-13" or installed(name)
    )
    assert not needs_openblas("linux")
    assert provide_openblas("bundled", tmp_path) is None
    assert not lacks_openblas("auto")
    assert list(tmp_path.iterdir()) == []


@on_linux_cpu
def test_the_systems_is_preferred(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ours = tmp_path / "libopenblas.so.0"
    monkeypatch.setattr(openblas, "find_system_openblas", lambda: ours)
    assert provide_openblas("auto", tmp_path) == ours
    assert provide_openblas("system", tmp_path) == ours
    assert provide_openblas("off", tmp_path) is None
    assert list(tmp_path.iterdir()) == []


@on_linux_cpu
def test_the_packages_is_copied_once_and_then_found(tmp_path: Path) -> None:
    steps: list[str] = []

    def announce(words: str) -> AbstractContextManager[None]:
        steps.append(words)
        return nullcontext()

    first = provide_openblas("bundled", tmp_path, announce=announce)
    assert first is not None
    made = first.stat()
    again = provide_openblas("bundled", tmp_path, announce=announce)
    assert again == first
    assert first.stat().st_mtime_ns == made.st_mtime_ns
    assert contents(tmp_path) == {first.name}
    assert len(steps) == 1
    package = PackagedOpenBlas.find()
    assert package is not None
    assert package.version in first.name


@on_linux_cpu
def test_a_copy_of_another_version_gives_way(tmp_path: Path) -> None:
    (tmp_path / "libopenblas-0.3.1-0123456789abcdef.so").write_bytes(b"old")
    copy = provide_openblas("bundled", tmp_path)
    assert copy is not None
    assert contents(tmp_path) == {copy.name}


@on_linux_cpu
def test_who_only_looks_leaves_nothing_in_the_folder(tmp_path: Path) -> None:
    kept, scratch = tmp_path / "kept", tmp_path / "scratch"
    copy = provide_openblas("bundled", kept, scratch=scratch)
    assert copy is not None
    assert copy.parent == scratch
    assert not kept.exists()


@on_linux_cpu
def test_two_starts_at_once_make_one_copy(tmp_path: Path) -> None:
    found: list[Path | None] = []
    starts = [
        threading.Thread(
            target=lambda: found.append(provide_openblas("bundled", tmp_path))
        )
        for _ in range(2)
    ]
    for start in starts:
        start.start()
    for start in starts:
        start.join()
    assert found[0] is not None
    assert found[0] == found[1]
    assert contents(tmp_path) == {found[0].name}


@on_linux_cpu
def test_a_kill_during_the_copy_leaves_nothing_half_made(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.library.killed_copier", str(tmp_path)]
    with subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    ) as copier:
        assert copier.stdout is not None
        assert copier.stdout.readline() == "half\n"
        copier.kill()  # SIGKILL
    # What it was at has no name that a start would take for a copy.
    assert list(tmp_path.glob("*.so")) == []
    assert len(contents(tmp_path)) == 1

    copy = provide_openblas("bundled", tmp_path)
    assert copy is not None
    assert contents(tmp_path) == {copy.name}


@on_linux_cpu
def test_a_copy_that_does_not_work_is_not_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    package = PackagedOpenBlas.find()
    assert package is not None
    broken = tmp_path / "broken.so"
    library = bytearray(package.path.read_bytes())
    library[0x12] = 0xFF  # of a processor that nobody has
    broken.write_bytes(library)
    monkeypatch.setattr(
        PackagedOpenBlas, "find", lambda: PackagedOpenBlas(broken, "1.0")
    )
    with pytest.raises(OpenBlasError, match="OpenBLAS does not work here: the dynamic"):
        provide_openblas("bundled", tmp_path / "kept")
    assert contents(tmp_path / "kept") == set()


@on_linux_cpu
@pytest.mark.parametrize("name", ["my data", "a:b"])
def test_a_folder_that_nothing_can_be_preloaded_from_is_refused(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(OpenBlasError, match="choose another MLX_DATA_DIR"):
        provide_openblas("bundled", tmp_path / name)


@on_linux_cpu
def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OpenBlasError, match="the copy of OpenBLAS cannot be kept"):
        provide_openblas("bundled", tmp_path / "file" / "kept")


@pytest.mark.parametrize("machine_name", ["x86_64", "aarch64"])
def test_the_requirement_has_a_wheel_for_each_processor(machine_name: str) -> None:
    """By what the index had when the requirement was written."""
    (line,) = [
        line.partition("  #")[0]
        for line in (REPOSITORY / "requirements.txt").read_text().splitlines()
        if line.startswith(openblas.PACKAGE)
    ]
    requirement = Requirement(line)
    assert requirement.marker is not None
    linux = {"sys_platform": "linux", "platform_machine": machine_name}
    assert requirement.marker.evaluate(linux)
    assert not requirement.marker.evaluate(linux | {"sys_platform": "darwin"})
    assert not requirement.marker.evaluate(linux | {"platform_machine": "riscv64"})

    wheels = json.loads(WHEELS.read_text())
    assert all(len(bytes.fromhex(digest)) == 32 for digest in wheels.values())
    fitting = [
        tag
        for name in wheels
        for _, version, _, tags in [parse_wheel_filename(name)]
        for tag in tags
        if requirement.specifier.contains(version)
        if tag.platform.endswith(f"_{machine_name}")
    ]
    assert fitting
    # Any Python, and nothing but the system's own libraries from 2018 on.
    assert {tag.interpreter for tag in fitting} == {"py3"}
    assert "manylinux_2_28" in str(fitting)
