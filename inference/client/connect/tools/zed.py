"""Zed: an OpenAI-compatible provider, and the agent's model.

https://zed.dev/docs/ai/use-api-access
"""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    model = {
        "name": target.model,
        "display_name": target.model,
        "max_tokens": target.context_tokens,
        "max_output_tokens": target.answer_tokens,
        "capabilities": {
            "tools": True,
            "images": target.sees,
            "parallel_tool_calls": True,
            "prompt_cache_key": False,
        },
    }
    provider = {"api_url": target.base_url, "available_models": [model]}
    chosen = {"provider": PROVIDER, "model": target.model}
    return (
        ConfigFile(
            folders.config / "zed" / "settings.json",
            ConfigFormat.JSON,
            (
                ConfigSetting(
                    ("language_models", "openai_compatible", PROVIDER), provider
                ),
                ConfigSetting(("agent", "default_model"), chosen),
            ),
        ),
    )


def _environment(target: ConnectTarget) -> dict[str, str]:
    """Return the key: Zed takes none from its settings."""
    return {KEY_VARIABLE: target.key}


PROFILE = ToolProfile(
    name="zed",
    title="Zed",
    command=("zed",),
    install="see https://zed.dev/download; then `zed: install cli` in its palette",
    context_tokens=AGENT_TOKENS,
    context_source=AGENT_SOURCE,
    files=_files,
    environment=_environment,
    needs_context=True,
    advice="or enter the key in Zed once, where it is kept in the system's keychain",
)
