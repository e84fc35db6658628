"""Open WebUI: by its environment. https://docs.openwebui.com/reference/env-configuration"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.client.connect.profiles import ToolProfile

if TYPE_CHECKING:
    from inference.client.connect.target import ConnectTarget


def _environment(target: ConnectTarget) -> dict[str, str]:
    return {
        "ENABLE_OPENAI_API": "true",
        "OPENAI_API_BASE_URL": target.base_url,
        "OPENAI_API_KEY": target.key,
        "ENABLE_OLLAMA_API": "false",
        "DEFAULT_MODELS": target.model,
    }


PROFILE = ToolProfile(
    name="open-webui",
    title="Open WebUI",
    command=("open-webui", "serve"),
    install="pip install open-webui",
    context_tokens=8_192,
    context_source="https://docs.openwebui.com/troubleshooting/rag",
    environment=_environment,
    uses_tools=False,
    advice="it keeps connections in its database from the first start on: later they "
    "are changed in its admin panel, under Connections",
)
