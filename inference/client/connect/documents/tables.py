"""Settings written into TOML; tomlkit keeps what it was not asked to change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from inference.client.connect.documents.settings import UnmergeableError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inference.client.connect.documents.settings import ConfigSetting


def write_toml(text: str, settings: Iterable[ConfigSetting]) -> str:
    """Return TOML text with settings in it. Their paths are names only.

    Raises:
        UnmergeableError: it is no TOML.
    """
    try:
        document = tomlkit.parse(text)
        for setting in settings:
            *parents, name = map(str, setting.path)
            table: Any = document
            for parent in parents:
                if parent not in table:
                    table[parent] = tomlkit.table(is_super_table=True)
                table = table[parent]
            table[name] = setting.value
        return tomlkit.dumps(document)
    except TOMLKitError as error:
        raise UnmergeableError(f"it is no TOML: {error}") from None
