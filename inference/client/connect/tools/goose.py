"""Goose: a provider in a file of its own, chosen in its configuration.

https://block.github.io/goose/docs/getting-started/providers
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inference.client.connect.documents.merging import ConfigFormat
from inference.client.connect.documents.settings import ConfigSetting
from inference.client.connect.profiles import (
    AGENT_SOURCE,
    AGENT_TOKENS,
    KEY_VARIABLE,
    PROVIDER,
    ConfigFile,
    ToolProfile,
)

if TYPE_CHECKING:
    from inference.client.connect.profiles import UserFolders
    from inference.client.connect.target import ConnectTarget


def _files(target: ConnectTarget, folders: UserFolders) -> tuple[ConfigFile, ...]:
    folder = folders.config / "goose"
    settings = tuple(
        ConfigSetting((name,), value) for name, value in _provider(target).items()
    )
    chosen = (
        ConfigSetting(("GOOSE_PROVIDER",), PROVIDER),
        ConfigSetting(("GOOSE_MODEL",), target.model),
    )
    return (
        ConfigFile(
            folder / "custom_providers" / f"{PROVIDER}.json",
            ConfigFormat.JSON,
            settings,
            holds_key=bool(target.api_key),
        ),
        ConfigFile(folder / "config.yaml", ConfigFormat.YAML, chosen),
    )


def _provider(target: ConnectTarget) -> dict[str, Any]:
    # Its own place for keys is the system's keyring, which nobody else should change.
    headers = {"Authorization": f"Bearer {target.api_key}"} if target.api_key else {}
    return {
        "name": PROVIDER,
        "engine": "openai",
        "display_name": PROVIDER,
        "description": "models served by mlx-server",
        "api_key_env": KEY_VARIABLE,
        "base_url": f"{target.base_url}/chat/completions",
        "models": [{"name": target.model, "context_limit": target.context_tokens}],
        "headers": headers,
        "supports_streaming": True,
        "requires_auth": False,
    }


PROFILE = ToolProfile(
    name="goose",
    title="Goose",
    command=("goose",),
    install="see https://block.github.io/goose/docs/getting-started/installation",
    context_tokens=AGENT_TOKENS,
    context_source=AGENT_SOURCE,
    files=_files,
    needs_context=True,
)
