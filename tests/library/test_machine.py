"""How much memory there is, by what may be used of it."""

from __future__ import annotations

import os
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest

from inference.library import machine
from inference.library.machine import computes_on_cpu, group_limits, memory_bytes
from inference.library.words import printable, size_in_words

if TYPE_CHECKING:
    from pathlib import Path

GIB = 1024**3


def put(root: Path, files: dict[str, object]) -> Path:
    """Write files of a line each."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{content}\n")
    return root


def limits(tmp_path: Path, membership: str) -> list[int]:
    """Return the limits of the groups that `membership` names."""
    (tmp_path / "membership").write_text(membership)
    return list(group_limits(tmp_path / "membership", tmp_path))


def test_it_is_the_machines_memory_or_less() -> None:
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")

    assert 0 < memory_bytes() <= physical


def test_a_group_allows_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, {"groups/box/memory.max": 64 * 1024**2})
    (tmp_path / "membership").write_text("0::/box\n")
    monkeypatch.setattr(machine, "MEMBERSHIP", tmp_path / "membership")
    monkeypatch.setattr(machine, "GROUPS", tmp_path / "groups")

    assert memory_bytes() == 64 * 1024**2


def test_groups_of_version_2_count_with_those_above_them(tmp_path: Path) -> None:
    files = {"a/b/memory.max": 8 * GIB, "a/memory.max": 4 * GIB, "memory.max": "max"}
    put(tmp_path, files)

    assert limits(tmp_path, "0::/a/b\n") == [8 * GIB, 4 * GIB]


def test_groups_of_version_1_count(tmp_path: Path) -> None:
    put(tmp_path, {"memory/docker/x/memory.limit_in_bytes": 2 * GIB})

    assert limits(tmp_path, "5:cpu:/docker/x\n4:memory:/docker/x\n") == [2 * GIB]


def test_inside_a_container_the_root_counts(tmp_path: Path) -> None:
    put(tmp_path, {"memory.max": 3 * GIB})

    assert limits(tmp_path, "0::/path/of/the/host\n") == [3 * GIB]


@pytest.mark.parametrize("text", ["", "nonsense", "0::/../../etc\n", "a:b:c:d:e\n"])
def test_a_membership_nobody_understands_limits_nothing(
    text: str, tmp_path: Path
) -> None:
    put(tmp_path, {"memory.max": "-1"})

    assert limits(tmp_path, text) == []


def test_a_machine_without_groups_has_no_limits(tmp_path: Path) -> None:
    assert list(group_limits(tmp_path / "none", tmp_path)) == []


def test_it_computes_on_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(machine, "GPU_DISTRIBUTIONS", ("not-there",))
    assert computes_on_cpu()

    # Any distribution that is there stands in for MLX's own.
    assert version("msgspec")
    monkeypatch.setattr(machine, "GPU_DISTRIBUTIONS", ("not-there", "msgspec"))
    assert not computes_on_cpu()


def test_a_mac_has_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")

    assert not computes_on_cpu()


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.00 kB"),
        (2_227_115, "2.23 MB"),
        (538_090_000, "538 MB"),
        (999_600_000, "1.00 GB"),
        (41_000_000_000, "41.0 GB"),
        (7_000_000_000_000_000, "7,000 TB"),
    ],
)
def test_sizes_are_told_to_three_digits(size: int, words: str) -> None:
    assert size_in_words(size) == words


def test_names_do_not_command_a_terminal() -> None:
    assert printable("mine\x1b[2J\udcff\n") == "mine�[2J��"
