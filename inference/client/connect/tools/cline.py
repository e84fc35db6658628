"""Cline's command line: the file that `cline auth` writes.

https://docs.cline.bot/provider-config/openai-compatible
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inference.client.connect.documents.merging import ConfigFormat
from inference.client.connect.documents.settings import ConfigSetting
from inference.client.connect.profiles import ConfigFile, ToolProfile

if TYPE_CHECKING:
    from inference.client.connect.profiles import UserFolders
    from inference.client.connect.target import ConnectTarget

KIND = "openai-compatible"


def _files(target: ConnectTarget, folders: UserFolders) -> tuple[ConfigFile, ...]:
    home = folders.named("CLINE_DIR", folders.home / ".cline")
    data = folders.named("CLINE_DATA_DIR", home / "data")
    settings: dict[str, Any] = {
        "provider": KIND,
        "apiKey": target.key,
        "model": target.model,
        "baseUrl": target.base_url,
    }
    if target.context_tokens:
        settings["contextWindow"] = target.context_tokens
        settings["maxTokens"] = target.answer_tokens
    return (
        ConfigFile(
            data / "settings" / "providers.json",
            ConfigFormat.JSON,
            (
                ConfigSetting(("version",), 1),
                ConfigSetting(("lastUsedProvider",), KIND),
                ConfigSetting(("providers", KIND, "settings"), settings),
                ConfigSetting(("providers", KIND, "tokenSource"), "manual"),
                # It wants one; when this was is nothing that it asks.
                ConfigSetting(("providers", KIND, "updatedAt"), "2026-01-01T00:00:00Z"),
            ),
            holds_key=bool(target.api_key),
        ),
    )


PROFILE = ToolProfile(
    name="cline",
    title="Cline",
    command=("cline",),
    install="npm install -g cline",
    context_tokens=32_000,
    context_source="https://docs.ollama.com/integrations/cline",
    files=_files,
    advice="this is for Cline's command line; in an editor enter the same under "
    "API Provider, OpenAI Compatible",
)
