"""opencode: a provider of its own. https://opencode.ai/docs/providers"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inference.client.connect.documents.merging import ConfigFormat
from inference.client.connect.documents.settings import ConfigSetting
from inference.client.connect.files import is_connected
from inference.client.connect.profiles import PROVIDER, ConfigFile, ToolProfile

if TYPE_CHECKING:
    from inference.client.connect.profiles import UserFolders
    from inference.client.connect.target import ConnectTarget

SCHEMA = "https://opencode.ai/config.json"


def _files(target: ConnectTarget, folders: UserFolders) -> tuple[ConfigFile, ...]:
    folder = folders.config / "opencode"
    plain, with_comments = folder / "opencode.json", folder / "opencode.jsonc"
    is_plain = is_connected(plain) or not with_comments.exists()
    name = f"{PROVIDER}/{target.model}"
    return (
        ConfigFile(
            plain if is_plain else with_comments,
            ConfigFormat.JSON,
            (
                # It would add this itself, and the file would not be as it was written.
                ConfigSetting(("$schema",), SCHEMA),
                ConfigSetting(("provider", PROVIDER), _provider(target)),
                ConfigSetting(("model",), name),
                ConfigSetting(("small_model",), name),
            ),
            holds_key=bool(target.api_key),
        ),
    )


def _provider(target: ConnectTarget) -> dict[str, Any]:
    model: dict[str, Any] = {"name": target.model}
    if target.context_tokens:
        limits = {"context": target.context_tokens, "output": target.answer_tokens}
        model["limit"] = limits
    if target.sees:
        model |= {
            "attachment": True,
            "modalities": {"input": ["text", "image"], "output": ["text"]},
        }
    return {
        "npm": "@ai-sdk/openai-compatible",
        "name": PROVIDER,
        "options": {"baseURL": target.base_url, "apiKey": target.key},
        "models": {target.model: model},
    }


PROFILE = ToolProfile(
    name="opencode",
    title="opencode",
    command=("opencode",),
    install="npm install -g opencode-ai",
    context_tokens=64_000,
    context_source="https://docs.ollama.com/integrations/opencode",
    files=_files,
)
