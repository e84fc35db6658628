"""The server's own folder: owns its mode and the secret key kept in it."""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import TYPE_CHECKING

from django.core.exceptions import ImproperlyConfigured

if TYPE_CHECKING:
    from pathlib import Path

PRIVATE_DIR = 0o700
PRIVATE_FILE = 0o600


def prepare_data_dir(path: Path) -> Path:
    """Create `path` for its owner alone; whether it can be written is a check's job."""
    with contextlib.suppress(OSError):
        path.mkdir(mode=PRIVATE_DIR, parents=True, exist_ok=True)
    return path


def load_secret_key(path: Path) -> str:
    """Return the key in `path`, which is made on the first call.

    Raises:
        ImproperlyConfigured: the file can be neither read nor written.
    """
    try:
        return _read_or_create(path)
    except OSError as error:
        raise ImproperlyConfigured(
            f"The secret key {path} cannot be kept ({error.strerror}): "
            "set MLX_DATA_DIR to a folder you may write to, or set SECRET_KEY."
        ) from None


def _read_or_create(path: Path) -> str:
    if not path.exists():
        _publish(path, secrets.token_urlsafe(50))
    key = path.read_text().strip()
    if not key:
        raise ImproperlyConfigured(f"The secret key {path} is empty: delete the file.")
    return key


def _publish(path: Path, key: str) -> None:
    """Write a complete file under `path`, unless another process was first."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(key)
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
