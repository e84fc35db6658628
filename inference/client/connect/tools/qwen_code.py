"""Qwen Code: a model of the OpenAI kind, and its key.

https://qwenlm.github.io/qwen-code-docs/en/users/configuration/model-providers
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inference.client.connect.documents.merging import ConfigFormat
from inference.client.connect.documents.settings import ConfigSetting, ListElement
from inference.client.connect.profiles import (
    AGENT_SOURCE,
    AGENT_TOKENS,
    KEY_VARIABLE,
    ConfigFile,
    ToolProfile,
)

if TYPE_CHECKING:
    from inference.client.connect.profiles import UserFolders
    from inference.client.connect.target import ConnectTarget


def _files(target: ConnectTarget, folders: UserFolders) -> tuple[ConfigFile, ...]:
    place = ("modelProviders", "openai", ListElement("envKey", KEY_VARIABLE))
    return (
        ConfigFile(
            folders.named("QWEN_HOME", folders.home / ".qwen") / "settings.json",
            ConfigFormat.JSON,
            (
                ConfigSetting(place, _model(target)),
                ConfigSetting(("env", KEY_VARIABLE), target.key),
                ConfigSetting(("security", "auth", "selectedType"), "openai"),
                ConfigSetting(("model", "name"), target.model),
            ),
            holds_key=bool(target.api_key),
        ),
    )


def _model(target: ConnectTarget) -> dict[str, Any]:
    model: dict[str, Any] = {
        "id": target.model,
        "name": f"{target.model} (mlx-server)",
        "baseUrl": target.base_url,
        "envKey": KEY_VARIABLE,
    }
    if target.context_tokens:
        model["generationConfig"] = {"contextWindowSize": target.context_tokens}
    return model


PROFILE = ToolProfile(
    name="qwen-code",
    title="Qwen Code",
    command=("qwen",),
    install="npm install -g @qwen-code/qwen-code",
    context_tokens=AGENT_TOKENS,
    context_source=AGENT_SOURCE,
    files=_files,
)
