"""What connecting a tool would change, thought through before anything is written."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from inference.client.connect.documents.merging import merged
from inference.client.connect.documents.settings import UnmergeableError
from inference.client.connect.files import ConfigFileError, FileChange, read_config

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from inference.client.connect.profiles import ConfigFile


def changes_for(files: Iterable[ConfigFile]) -> list[FileChange]:
    """Return what is to be written; nothing for files that say all of it already.

    Raises:
        ConfigFileError: one of them cannot be read, or takes no settings without loss.
    """
    changes = (_change_for(file) for file in files)
    return [change for change in changes if change.before != change.after]


def _change_for(file: ConfigFile) -> FileChange:
    before = read_config(file.path)
    try:
        after = merged(before or "", file.language, file.settings)
    except UnmergeableError as error:
        raise ConfigFileError(f"{file.path} is left as it is: {error}") from None
    return FileChange(file.path, before, after, is_private=file.holds_key)


def shown_files(files: Iterable[ConfigFile], *, home: Path) -> str:
    """Return what is set in each file, as it would stand in an empty one."""
    parts = []
    for file in files:
        text = merged("", file.language, file.settings)
        parts.append(f"# {short_path(file.path, home=home)}\n{text}")
    return "\n".join(parts)


def shown_environment(variables: Mapping[str, str]) -> str:
    """Return variables as a shell takes them."""
    return "".join(
        f"export {name}={shlex.quote(value)}\n" for name, value in variables.items()
    )


def short_path(path: Path, *, home: Path) -> str:
    """Return a path as people write it, the home folder as `~`."""
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)
