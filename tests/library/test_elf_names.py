"""The exported names of a library lose their prefix, and the linker finds them."""

from __future__ import annotations

import ctypes
import sys
from typing import TYPE_CHECKING

import pytest

from inference.library.elf_names import ElfError, without_prefix
from inference.library.openblas import PREFIX, PackagedOpenBlas

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux has such libraries"
)


@pytest.fixture(scope="module")
def packaged() -> bytes:
    """The library as the package index has it."""
    package = PackagedOpenBlas.find()
    assert package is not None
    return package.path.read_bytes()


def test_every_name_is_found_without_its_prefix_and_none_with_it(
    packaged: bytes, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.so"
    copy.write_bytes(without_prefix(packaged, PREFIX))
    library = ctypes.CDLL(str(copy))
    names = [f"scipy_{name}" for name in ("cblas_sgemm", "sgemm_", "dgetrf_")]
    assert not any(hasattr(library, name) for name in names)
    assert all(hasattr(library, name.removeprefix("scipy_")) for name in names)
    assert hasattr(library, "openblas_get_config")
    assert not hasattr(library, "cblas_no_such_function")


def test_the_copy_is_as_long_as_the_original(packaged: bytes) -> None:
    copy = without_prefix(packaged, PREFIX)
    assert len(copy) == len(packaged)
    assert copy != packaged


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda library: b"GGUF" + library[4:], "no little-endian ELF file"),
        (lambda library: library[:4] + b"\x01" + library[5:], "no little-endian ELF"),
        (lambda library: library[:100_000], "cut off or damaged"),
        (lambda library: b"", "no little-endian ELF"),
    ],
)
def test_what_is_no_such_library_is_refused(
    packaged: bytes, damage: object, reason: str
) -> None:
    with pytest.raises(ElfError, match=reason):
        without_prefix(damage(packaged), PREFIX)  # type: ignore[operator]


def test_a_library_without_the_prefix_is_refused(packaged: bytes) -> None:
    with pytest.raises(ElfError, match="no name in it begins with nobody_"):
        without_prefix(packaged, b"nobody_")
