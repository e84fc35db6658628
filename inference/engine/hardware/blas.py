"""Which library multiplies matrices: the one whose function MLX really calls.

`python -m inference.engine.hardware.blas FILE` tries out a library that was preloaded into
it, and ends with 0 where that one answers, and rightly.
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

PRODUCT = "cblas_sgemm"
OPENBLAS, REFERENCE = "openblas", "reference"
# Only OpenBLAS has it, whatever its file is called.
OPENBLAS_SIGN = "openblas_get_config"
OPENBLAS_SET_THREADS = "openblas_set_num_threads"
ROW_MAJOR, NOT_TRANSPOSED = 101, 111


class _LibraryPlace(ctypes.Structure):
    """What `dladdr` tells of an address."""

    _fields_ = (
        ("file", ctypes.c_char_p),
        ("base", ctypes.c_void_p),
        ("symbol", ctypes.c_char_p),
        ("address", ctypes.c_void_p),
    )


def serving_blas(caller: Path) -> str:
    """Return the name of the BLAS that the library `caller` calls.

    `openblas`, `reference` (what came with MLX, slow), or the file's own name.
    """
    owner = owner_of(PRODUCT, caller)
    if owner is None:
        return REFERENCE
    if hasattr(ctypes.CDLL(str(owner)), OPENBLAS_SIGN):
        return OPENBLAS
    # The wheel of MLX keeps its libraries in a folder beside the package.
    packages = caller.resolve().parents[2]
    if owner.resolve().is_relative_to(packages):
        return REFERENCE
    return owner.name.partition(".")[0].removeprefix("lib")


def owner_of(symbol: str, caller: Path) -> Path | None:
    """Return the file whose `symbol` the loaded library `caller` calls.

    As the dynamic linker looks for it: first in the program and what is preloaded
    or global, then in `caller` and what that depends on. What another package
    loaded for itself, as numpy does with an OpenBLAS of its own, is in neither.
    """
    for scope in (None, str(caller)):
        function = getattr(ctypes.CDLL(scope), symbol, None)
        if function is not None:
            return _file_of(function)
    return None


def use_threads(count: int) -> None:
    """Have a preloaded OpenBLAS multiply with so many threads from now on."""
    set_threads = getattr(ctypes.CDLL(None), OPENBLAS_SET_THREADS, None)
    if set_threads is not None:
        set_threads(ctypes.c_int(count))


def _file_of(function: object) -> Path | None:
    tell = ctypes.CDLL(None).dladdr
    tell.argtypes = [ctypes.c_void_p, ctypes.POINTER(_LibraryPlace)]
    place = _LibraryPlace()
    address = ctypes.cast(function, ctypes.c_void_p)  # type: ignore[arg-type]
    if not tell(address, ctypes.byref(place)) or not place.file:
        return None
    return Path(place.file.decode())


def multiply(left: list[float], right: list[float], side: int) -> list[float]:
    """Return the product of two square matrices, by the program's own BLAS."""
    product = ctypes.CDLL(None)[PRODUCT]
    integer, number = ctypes.c_int, ctypes.c_float
    matrix = number * (side * side)
    product.restype = None
    product.argtypes = (
        *(integer, integer, integer, integer, integer, integer, number),
        *(matrix, integer, matrix, integer, number, matrix, integer),
    )
    found = matrix()
    product(
        *(ROW_MAJOR, NOT_TRANSPOSED, NOT_TRANSPOSED, side, side, side, 1.0),
        *(matrix(*left), side, matrix(*right), side, 0.0, found, side),
    )
    return list(found)


def main() -> int:
    """Try out the library that is named."""
    expected = Path(sys.argv[1])
    if not hasattr(ctypes.CDLL(None), PRODUCT):
        return _refuse(f"the dynamic linker does not preload {expected.name}")
    owner = owner_of(PRODUCT, expected)
    if owner is None or not owner.samefile(expected):
        return _refuse(f"{PRODUCT} is answered by {owner}")
    side = 64  # large enough for the kernels of this processor
    ones = [1.0] * side * side
    if multiply(ones, ones, side) != [float(side)] * side * side:
        return _refuse("it miscalculates")
    return 0


def _refuse(reason: str) -> int:
    sys.stderr.write(f"{reason}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
