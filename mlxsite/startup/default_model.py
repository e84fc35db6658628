"""The model served when none is named: owns its folders, made once, whole or not.

It comes as a GGUF file inside a wheel, so that a package index is all it takes.
"""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

from inference.library.convert import ConversionError, convert_gguf, work_folder
from inference.library.files import missing_from_model
from inference.library.machine import computes_on_cpu
from inference.library.places import DEFAULT_MODEL, FLOAT32, QUANTIZED
from mlxsite.startup.default_wheel import fetch_gguf
from mlxsite.startup.errors import StartupError
from mlxsite.startup.steps import say, step

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT_KEY = DEFAULT_MODEL


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
        with work_folder(models_dir, on_wait=_say_waiting) as work:
            if not _is_complete(target):
                _make(target, variant, work)
    except OSError as error:
        raise StartupError(f"the default model cannot be kept: {error}") from error
    return target


def preferred_variant() -> str:
    """Return what runs fastest here: on a CPU only float32 is quick."""
    return FLOAT32 if computes_on_cpu() else QUANTIZED


def _is_complete(target: Path) -> bool:
    return missing_from_model(target) is None


def _make(target: Path, variant: str, work: Path) -> None:
    """Work in a folder beside `target`; the last step gives it the name."""
    made = work / target.name
    with step(f"Default model: {DEFAULT_KEY}, 93 MB to download (once)"):
        _convert(fetch_gguf(work), made, variant)
    shutil.rmtree(target, ignore_errors=True)
    _choose_greedy(made)
    made.rename(target)


def _convert(gguf: Path, made: Path, variant: str) -> None:
    try:
        convert_gguf(gguf, made, dtype=variant)
    except ConversionError as error:
        raise StartupError(
            f"the default model could not be converted: error: {error}"
        ) from error


def _choose_greedy(made: Path) -> None:
    """Make its best answer the usual one: so small a model errs when it samples."""
    path = made / "generation_config.json"
    content = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(content | {"do_sample": False}, indent=1))


def _say_waiting() -> None:
    say("Another process prepares the default model; waiting for it\n")
