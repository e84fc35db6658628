"""Files of other tools: owns how they are read, written, kept and given back.

Beside each file that is changed lie its bytes as they were (`.before-mlx-server`) and a
note (`.mlx-server-note`) that says how to undo. Both are gone once it is undone.
"""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import msgspec

MOST_BYTES = 4 * 1024 * 1024
BEFORE, AFTER, NOTE = ".before-mlx-server", ".after-mlx-server", ".mlx-server-note"
PRIVATE, PRIVATE_FOLDER, USUAL = 0o600, 0o700, 0o644


class ConfigFileError(RuntimeError):
    """A file cannot be read, written or given back; the message is one line."""


class UndoNote(msgspec.Struct, frozen=True):
    """What was there before: `mode` of the file, none where it was absent.

    `written` is the hash of what was written last, `folders` were made for it.
    """

    mode: int | None
    written: str
    folders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FileChange:
    """What a file holds now (none: it is absent), and what it is to hold."""

    path: Path
    before: str | None
    after: str
    is_private: bool


def read_config(path: Path) -> str | None:
    """Return the text of a file, its line ends as they are; none where it is absent.

    Raises:
        ConfigFileError: it is no file of text that may be changed.
    """
    try:
        data = _read(path)
        return None if data is None else data.decode()
    except OSError as error:
        raise _failed("read", path, error) from None
    except UnicodeDecodeError:
        raise ConfigFileError(f"{path} is no text in UTF-8") from None


def write_changes(changes: list[FileChange]) -> None:
    """Make all changes, or none of them.

    Raises:
        ConfigFileError: one cannot be made.
    """
    begun: list[tuple[FileChange, UndoNote | None]] = []
    for change in changes:
        try:
            begun.append((change, _note_of(change.path)))
            _write_change(change)
        except OSError as error:
            for done, note in reversed(begun):
                with suppress(OSError, ConfigFileError):
                    _take_back(done, note)
            raise _failed("written", change.path, error) from None


def undo_change(path: Path) -> Path | None:
    """Give a file back as it was, to the byte; do nothing where it was not changed.

    Returns:
        Where its later contents are kept, if somebody has changed it since.

    Raises:
        ConfigFileError: it cannot be given back.
    """
    try:
        note = _note_of(path)
        return _undo(path, note) if note else None
    except OSError as error:
        raise _failed("written", path, error) from None


def is_connected(path: Path) -> bool:
    """Whether a file was changed, and can be given back."""
    return _beside(path, NOTE).exists()


def _write_change(change: FileChange) -> None:
    path = change.path
    folders = _make_folders(path.parent)
    note = _note_of(path)
    data = change.after.encode()
    if note is None:
        mode = None
        if change.before is not None:
            mode = stat.S_IMODE(path.stat().st_mode)
            _write(_beside(path, BEFORE), change.before.encode(), mode)
        note = UndoNote(mode, "", folders)
    note = msgspec.structs.replace(note, written=sha256(data).hexdigest())
    _write(_beside(path, NOTE), msgspec.json.encode(note), PRIVATE)
    mode = USUAL if change.before is None else stat.S_IMODE(path.stat().st_mode)
    _write(path, data, mode & PRIVATE if change.is_private else mode)


def _take_back(change: FileChange, note: UndoNote | None) -> None:
    """Make a file what it was before a change that was begun; `note` lay beside it."""
    if note is None:
        undo_change(change.path)
        return
    if change.before is not None:
        _write(change.path, change.before.encode(), PRIVATE)
    _write(_beside(change.path, NOTE), msgspec.json.encode(note), PRIVATE)


def _undo(path: Path, note: UndoNote) -> Path | None:
    now, later = _read(path), None
    if now is not None and sha256(now).hexdigest() != note.written:
        later = _beside(path, AFTER)
        _write(later, now, PRIVATE)
    if note.mode is None:
        path.unlink(missing_ok=True)
    else:
        _write(path, _beside(path, BEFORE).read_bytes(), note.mode)
    _beside(path, BEFORE).unlink(missing_ok=True)
    _beside(path, NOTE).unlink()
    for folder in reversed(note.folders):
        with suppress(OSError):  # something else lies in it by now
            Path(folder).rmdir()
    return later


def _note_of(path: Path) -> UndoNote | None:
    note = _beside(path, NOTE)
    try:
        return msgspec.json.decode(note.read_bytes(), type=UndoNote)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError:
        raise ConfigFileError(f"{note} cannot be read: it was changed") from None


def _read(path: Path) -> bytes | None:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(status.st_mode):
        raise ConfigFileError(
            f"{path} is a link to {path.readlink()}: it is left alone"
        )
    if not stat.S_ISREG(status.st_mode):
        raise ConfigFileError(f"{path} is no file")
    if status.st_size > MOST_BYTES:
        raise ConfigFileError(f"{path} is larger than {MOST_BYTES:,} bytes")
    return path.read_bytes()


def _write(path: Path, data: bytes, mode: int) -> None:
    """Replace a file at once: nobody ever sees half of it, or with another mode."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _make_folders(folder: Path) -> tuple[str, ...]:
    """Make a folder and those above it; return the new ones, outermost first."""
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        each.mkdir(mode=PRIVATE_FOLDER)
    return tuple(str(each) for each in reversed(missing))


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _failed(deed: str, path: Path, error: OSError) -> ConfigFileError:
    return ConfigFileError(f"{path} cannot be {deed}: {error.strerror or error}")
