"""The server's own folder: owns its mode and the secret key kept in it."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import sys
from pathlib import Path

import platformdirs
from django.core.exceptions import ImproperlyConfigured

PRIVATE_DIR = 0o700
PRIVATE_FILE = 0o600
OTHERS = stat.S_IRWXG | stat.S_IRWXO


def default_data_dir() -> Path:
    """Return where data is kept unless a setting says where.

    A folder of the product's old name is used where there is none of the new name.
    """
    folder, old = (
        Path(platformdirs.user_data_dir(name)) for name in ("mlx-server", "mlxsite")
    )
    return old if old.is_dir() and not folder.exists() else folder


def prepare_data_dir(path: Path) -> Path:
    """Create `path` for its owner alone; whether it can be written is a check's job.

    A folder that is there already and that others can enter is closed to them.

    Raises:
        ImproperlyConfigured: it is not this user's to close.
    """
    with contextlib.suppress(OSError):
        path.mkdir(mode=PRIVATE_DIR, parents=True, exist_ok=True)
    try:
        status = path.stat()
    except OSError:
        return path
    if stat.S_ISDIR(status.st_mode) and status.st_mode & OTHERS:
        _close_to_others(path, status)
    return path


def _close_to_others(path: Path, status: os.stat_result) -> None:
    """Take everybody else's rights away; a folder that is meant for all is refused."""
    is_ours = status.st_uid == os.geteuid() and not status.st_mode & stat.S_ISVTX
    try:
        if not is_ours:
            raise PermissionError
        path.chmod(stat.S_IMODE(status.st_mode) & ~OTHERS)
    except OSError:
        raise ImproperlyConfigured(
            f"The data folder {path} is open to other users, and it is not this "
            "user's to close: set MLX_DATA_DIR to a folder of your own."
        ) from None
    sys.stderr.write(f"The data folder {path} was open to other users; closed now\n")


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
