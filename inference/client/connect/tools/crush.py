"""Crush: a provider of its own, for both sizes of model that it asks for.

https://github.com/charmbracelet/crush#custom-providers
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inference.client.connect.documents.merging import ConfigFormat
from inference.client.connect.documents.settings import ConfigSetting
from inference.client.connect.profiles import (
    AGENT_SOURCE,
    AGENT_TOKENS,
    PROVIDER,
    ConfigFile,
    ToolProfile,
)

if TYPE_CHECKING:
    from inference.client.connect.profiles import UserFolders
    from inference.client.connect.target import ConnectTarget


def _files(target: ConnectTarget, folders: UserFolders) -> tuple[ConfigFile, ...]:
    chosen = {"provider": PROVIDER, "model": target.model}
    return (
        ConfigFile(
            folders.named("CRUSH_GLOBAL_CONFIG", folders.config / "crush")
            / "crush.json",
            ConfigFormat.JSON,
            (
                ConfigSetting(("providers", PROVIDER), _provider(target)),
                ConfigSetting(("models", "large"), chosen),
                ConfigSetting(("models", "small"), chosen),
            ),
            holds_key=bool(target.api_key),
        ),
    )


def _provider(target: ConnectTarget) -> dict[str, Any]:
    model = {
        "id": target.model,
        "name": target.model,
        "context_window": target.context_tokens,
        "default_max_tokens": target.answer_tokens,
        "supports_attachments": target.sees,
    }
    return {
        "name": PROVIDER,
        "type": "openai-compat",
        "base_url": target.base_url,
        "api_key": target.key,
        "models": [model],
    }


PROFILE = ToolProfile(
    name="crush",
    title="Crush",
    command=("crush",),
    install="npm install -g @charmland/crush",
    context_tokens=AGENT_TOKENS,
    context_source=AGENT_SOURCE,
    files=_files,
    needs_context=True,
)
