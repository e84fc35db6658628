"""The machine: Python, processor, MLX and what it computes with, versions."""

from __future__ import annotations

import platform
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from inference.library import openblas
from inference.library.machine import core_count, memory_bytes
from inference.library.words import size_in_words
from inference.runtime.environment import worker_environment
from inference.runtime.memory import MemoryBudget
from mlxsite.doctor.findings import Finding, warning, well, wrong
from mlxsite.hardware import processor_name, sysctl, system_name
from mlxsite.startup.versions import component_versions

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference.conf import ServerConfig

PROBE_S = 60.0
OLDEST_PYTHON = (3, 11)
NATIVE = "Install a Python for arm64 (python.org, or Homebrew in /opt/homebrew)."
AGAIN = "Install the requirements again: pip install -r requirements.txt"


class EngineProbe(msgspec.Struct, frozen=True):
    """What MLX says of itself in a process of its own."""

    device: str
    blas: str
    gpu_memory_bytes: int
    versions: dict[str, str]
    is_right: bool
    # Why it computes without an OpenBLAS, and what to do about it.
    advice: str = ""


class EngineError(RuntimeError):
    """MLX does not start here; the message is its last line."""


def ask_engine(config: ServerConfig | None) -> EngineProbe:
    """Start MLX as a worker of these settings would, and ask it.

    Raises:
        EngineError: it does not start, or takes too long.
    """
    choice, advice = config.openblas if config else openblas.AUTO, ""
    # What the next start will copy is copied elsewhere: to look is not to touch.
    with tempfile.TemporaryDirectory(prefix="mlx-server-doctor-") as scratch:
        elsewhere = Path(scratch)
        kept = config.openblas_folder if config else elsewhere
        try:
            library = openblas.provide_openblas(choice, kept, scratch=elsewhere)
        except openblas.OpenBlasError as error:
            library, advice = None, str(error)
        engine = _probe_engine(library)
    advice = advice or openblas.advice_on(choice)
    return msgspec.structs.replace(engine, advice=advice)


def _probe_engine(library: Path | None) -> EngineProbe:
    command = [sys.executable, "-m", "inference.engine.hardware.probe"]
    try:
        found = subprocess.run(  # noqa: S603 -- our own interpreter
            command,
            capture_output=True,
            text=True,
            timeout=PROBE_S,
            check=False,
            stdin=subprocess.DEVNULL,
            env=worker_environment(library),
        )
    except subprocess.TimeoutExpired:
        raise EngineError(f"it did not start within {PROBE_S:g} s") from None
    if found.returncode:
        lines = found.stderr.strip().splitlines()
        words = lines[-1] if lines else f"it ended with code {found.returncode}"
        raise EngineError(words)
    return msgspec.json.decode(found.stdout.splitlines()[-1], type=EngineProbe)


def check_python() -> list[Finding]:
    """Whether this is a Python that MLX runs on."""
    words = f"{platform.python_version()}, {platform.machine()}"
    if sys.version_info < OLDEST_PYTHON:
        return [wrong("Python", words, "Python 3.11 or newer is needed.")]
    if struct.calcsize("P") < 8:
        return [wrong("Python", f"{words}, 32 bits", "A 64-bit Python is needed.")]
    if sys.platform == "darwin" and platform.machine() != "arm64":
        if sysctl("sysctl.proc_translated") == "1":
            return [wrong("Python", f"{words}, translated by Rosetta", NATIVE)]
        advice = "MLX needs a Mac with Apple silicon."
        return [wrong("Python", f"{words}, on an Intel Mac", advice)]
    return [well("Python", words, path=sys.executable)]


def check_machine() -> list[Finding]:
    """What the machine is."""
    memory = size_in_words(memory_bytes())
    words = f"{processor_name()}, {core_count()} cores, {memory} of memory"
    return [well("machine", f"{words}; {system_name()}")]


def check_engine(ask: Callable[[], EngineProbe], asked_bytes: int) -> list[Finding]:
    """Whether MLX computes, on what, with which BLAS, and how much it may hold."""
    try:
        engine = ask()
    except EngineError as error:
        return [wrong("MLX", str(error), AGAIN)]
    except (msgspec.DecodeError, IndexError):
        return [wrong("MLX", "it said nothing that can be read", AGAIN)]
    version = engine.versions.get("mlx", "")
    on = "the CPU" if engine.device == "cpu" else f"the GPU ({engine.device})"
    if not engine.is_right:
        return [wrong("MLX", f"{version} miscalculates on {on}", AGAIN)]
    budget = MemoryBudget.of(
        asked_bytes=asked_bytes,
        machine_bytes=memory_bytes(),
        gpu_bytes=engine.gpu_memory_bytes,
    )
    may_hold = f"models may hold {size_in_words(budget.total_bytes)}"
    facts = msgspec.to_builtins(engine) | {"budget_bytes": budget.total_bytes}
    return [
        well("MLX", f"{version} computes on {on}; {may_hold}", **facts),
        _blas(engine),
    ]


def _blas(engine: EngineProbe) -> Finding:
    if not engine.blas:
        return well("BLAS", "not needed: a GPU computes")
    if engine.blas == "reference":
        return warning(
            "BLAS",
            "MLX's own, which is up to 30 times slower than OpenBLAS",
            engine.advice,
        )
    names = {"openblas": "OpenBLAS", "accelerate": "Accelerate"}
    return well("BLAS", names.get(engine.blas, engine.blas))


def check_versions() -> list[Finding]:
    """Whether everything is installed."""
    found = component_versions()
    words = ", ".join(f"{name} {version}" for name, version in found.items())
    missing = [name for name, version in found.items() if not version[:1].isdigit()]
    if missing:
        return [wrong("versions", f"not installed: {', '.join(missing)}", AGAIN)]
    return [well("versions", words, **found)]


def check_settings(config: ServerConfig | None, problem: str) -> list[Finding]:
    """Whether the settings can be read, and what the system checks say of them."""
    if config is None:
        advice = "Mend that first: the rest cannot be looked at without settings."
        return [wrong("settings", problem, advice)]
    from mlxsite.doctor.checks import check_findings

    return check_findings() or [well("settings", "no mistakes")]
