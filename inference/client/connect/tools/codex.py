"""Codex CLI: a provider of its own in `config.toml`; it speaks `/v1/responses` only.

https://developers.openai.com/codex/config-reference
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inference.client.connect.documents.merging import ConfigFormat
from inference.client.connect.documents.settings import ConfigSetting
from inference.client.connect.profiles import PROVIDER, ConfigFile, ToolProfile

if TYPE_CHECKING:
    from inference.client.connect.profiles import UserFolders
    from inference.client.connect.target import ConnectTarget


def _files(target: ConnectTarget, folders: UserFolders) -> tuple[ConfigFile, ...]:
    provider = {
        "name": PROVIDER,
        "base_url": target.base_url,
        "wire_api": "responses",
    }
    if target.api_key:
        provider["experimental_bearer_token"] = target.api_key
    values: list[tuple[tuple[str, ...], Any]] = [
        (("model",), target.model),
        (("model_provider",), PROVIDER),
    ]
    if target.context_tokens:
        values.append((("model_context_window",), target.context_tokens))
    values.append((("model_providers", PROVIDER), provider))
    return (
        ConfigFile(
            folders.named("CODEX_HOME", folders.home / ".codex") / "config.toml",
            ConfigFormat.TOML,
            tuple(ConfigSetting(path, value) for path, value in values),
            holds_key=bool(target.api_key),
        ),
    )


PROFILE = ToolProfile(
    name="codex",
    title="Codex CLI",
    command=("codex",),
    install="npm install -g @openai/codex",
    calls="/responses",
    context_tokens=64_000,
    context_source="https://docs.ollama.com/integrations/codex",
    files=_files,
)
