"""Aider: options in its YAML file, the context in its file of models.

https://aider.chat/docs/llms/openai-compat.html
https://aider.chat/docs/config/adv-model-settings.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inference.client.connect.documents.merging import ConfigFormat
from inference.client.connect.documents.settings import ConfigSetting
from inference.client.connect.profiles import ConfigFile, ToolProfile

if TYPE_CHECKING:
    from inference.client.connect.profiles import UserFolders
    from inference.client.connect.target import ConnectTarget


def _files(target: ConnectTarget, folders: UserFolders) -> tuple[ConfigFile, ...]:
    name = f"openai/{target.model}"
    options = {
        "model": name,
        "weak-model": name,
        "openai-api-base": target.base_url,
        "openai-api-key": target.key,
    }
    settings = ConfigFile(
        folders.home / ".aider.conf.yml",
        ConfigFormat.YAML,
        tuple(ConfigSetting((option,), value) for option, value in options.items()),
        holds_key=bool(target.api_key),
    )
    models = ConfigFile(
        folders.home / ".aider.model.metadata.json",
        ConfigFormat.JSON,
        (ConfigSetting((name,), _model(target)),),
    )
    return settings, models


def _model(target: ConnectTarget) -> dict[str, Any]:
    limits = {}
    if target.context_tokens:
        limits = {
            "max_input_tokens": target.context_tokens,
            "max_output_tokens": target.answer_tokens,
        }
    costs = {"input_cost_per_token": 0, "output_cost_per_token": 0}
    return {**limits, **costs, "litellm_provider": "openai", "mode": "chat"}


PROFILE = ToolProfile(
    name="aider",
    title="Aider",
    command=("aider",),
    install="pip install aider-chat",
    context_tokens=8_192,
    context_source="https://aider.chat/docs/llms/ollama.html",
    files=_files,
    uses_tools=False,
)
