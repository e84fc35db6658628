"""Continue, in editors and as `cn`: a model among its own.

https://docs.continue.dev/reference
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inference.client.connect.documents.merging import ConfigFormat
from inference.client.connect.documents.settings import ConfigSetting, ListElement
from inference.client.connect.files import is_connected
from inference.client.connect.profiles import (
    AGENT_SOURCE,
    AGENT_TOKENS,
    PROVIDER,
    ConfigFile,
    ToolProfile,
)

if TYPE_CHECKING:
    from pathlib import Path

    from inference.client.connect.profiles import UserFolders
    from inference.client.connect.target import ConnectTarget


def _files(target: ConnectTarget, folders: UserFolders) -> tuple[ConfigFile, ...]:
    folder = folders.named("CONTINUE_GLOBAL_DIR", folders.home / ".continue")
    path, older = folder / "config.yaml", folder / "config.json"
    if is_connected(older) or (older.exists() and not path.exists()):
        # A new config.yaml would put the whole of this one out of use.
        return (_older_file(target, older),)
    model = ConfigSetting(("models", ListElement("name", PROVIDER)), _model(target))
    head = () if path.exists() else _head()
    holds_key = bool(target.api_key)
    settings = (*head, model)
    return (ConfigFile(path, ConfigFormat.YAML, settings, holds_key=holds_key),)


def _head() -> tuple[ConfigSetting, ...]:
    """Return what a file of its own has to say first."""
    values = {"name": PROVIDER, "version": "1.0.0", "schema": "v1"}
    return tuple(ConfigSetting((name,), value) for name, value in values.items())


def _model(target: ConnectTarget) -> dict[str, Any]:
    model: dict[str, Any] = {
        "name": PROVIDER,
        "provider": "openai",
        "model": target.model,
        "apiBase": target.base_url,
        "apiKey": target.key,
        "roles": ["chat", "edit", "apply"],
        "capabilities": ["tool_use", *(["image_input"] if target.sees else [])],
    }
    if target.context_tokens:
        model["defaultCompletionOptions"] = {
            "contextLength": target.context_tokens,
            "maxTokens": target.answer_tokens,
        }
    return model


def _older_file(target: ConnectTarget, path: Path) -> ConfigFile:
    model: dict[str, Any] = {
        "title": PROVIDER,
        "provider": "openai",
        "model": target.model,
        "apiBase": target.base_url,
        "apiKey": target.key,
    }
    if target.context_tokens:
        model["contextLength"] = target.context_tokens
        model["completionOptions"] = {"maxTokens": target.answer_tokens}
    setting = ConfigSetting(("models", ListElement("title", PROVIDER)), model)
    holds_key = bool(target.api_key)
    return ConfigFile(path, ConfigFormat.JSON, (setting,), holds_key=holds_key)


PROFILE = ToolProfile(
    name="continue",
    title="Continue",
    command=("cn",),
    install="npm install -g @continuedev/cli",
    context_tokens=AGENT_TOKENS,
    context_source=AGENT_SOURCE,
    files=_files,
    advice=f"choose the model {PROVIDER} in Continue's list of models",
)
