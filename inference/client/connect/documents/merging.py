"""One door for all formats: settings go in, nothing else is lost, or it is refused."""

from __future__ import annotations

import json
import tomllib
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from inference.client.connect.documents.json_edits import write_json
from inference.client.connect.documents.jsonc import read_jsonc
from inference.client.connect.documents.settings import UnmergeableError, with_settings
from inference.client.connect.documents.tables import write_toml
from inference.client.connect.documents.yaml_edits import read_yaml, write_yaml

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference.client.connect.documents.settings import ConfigSetting


class ConfigFormat(StrEnum):
    """How a configuration file is written. JSON may hold comments."""

    JSON = "json"
    TOML = "toml"
    YAML = "yaml"


_WRITERS = {
    ConfigFormat.JSON: write_json,
    ConfigFormat.TOML: write_toml,
    ConfigFormat.YAML: write_yaml,
}


def merged(text: str, language: ConfigFormat, settings: Sequence[ConfigSetting]) -> str:
    """Return a document with settings in it, and all else in it as it was.

    Raises:
        UnmergeableError: it is not of its format, or cannot be changed without loss.
    """
    wanted = with_settings(_read(text, language), settings)
    result = _WRITERS[language](text, settings)
    if _comparable(_read(result, language)) != _comparable(wanted):
        raise UnmergeableError("it cannot be changed without losing something")
    return result


def _read(text: str, language: ConfigFormat) -> Any:
    if language is ConfigFormat.YAML:
        return read_yaml(text)
    if language is ConfigFormat.JSON:
        return read_jsonc(text).value if text.strip() else None
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UnmergeableError(f"it is no TOML: {error}") from None


def _comparable(data: Any) -> str:
    """Return data so that `1`, `1.0` and `true` differ, and the order does not."""
    return json.dumps(data, sort_keys=True, default=repr)
