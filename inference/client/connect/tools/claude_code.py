"""Claude Code: variables in its own settings; it speaks Anthropic's format.

https://code.claude.com/docs/en/env-vars
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.client.connect.documents.merging import ConfigFormat
from inference.client.connect.documents.settings import ConfigSetting
from inference.client.connect.profiles import ConfigFile, ToolProfile

if TYPE_CHECKING:
    from inference.client.connect.profiles import UserFolders
    from inference.client.connect.target import ConnectTarget

# Whichever of Anthropic's models it would ask for by itself.
MODEL_VARIABLES = (
    "ANTHROPIC_MODEL",
    "ANTHROPIC_DEFAULT_OPUS_MODEL",
    "ANTHROPIC_DEFAULT_SONNET_MODEL",
    "ANTHROPIC_DEFAULT_HAIKU_MODEL",
    "CLAUDE_CODE_SUBAGENT_MODEL",
)


def _variables(target: ConnectTarget) -> dict[str, str]:
    variables = {
        "ANTHROPIC_BASE_URL": target.root_url,
        "ANTHROPIC_AUTH_TOKEN": target.key,
        # One of the user's environment would be sent as well, and refused.
        "ANTHROPIC_API_KEY": "",
        **dict.fromkeys(MODEL_VARIABLES, target.model),
        # A first line that changes with every turn: nothing after it could be cached.
        "CLAUDE_CODE_ATTRIBUTION_HEADER": "0",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    }
    if target.context_tokens and target.answer_tokens:
        variables["CLAUDE_CODE_AUTO_COMPACT_WINDOW"] = str(target.context_tokens)
        variables["CLAUDE_CODE_MAX_OUTPUT_TOKENS"] = str(target.answer_tokens)
    return variables


def _files(target: ConnectTarget, folders: UserFolders) -> tuple[ConfigFile, ...]:
    folder = folders.named("CLAUDE_CONFIG_DIR", folders.home / ".claude")
    settings = tuple(
        ConfigSetting(("env", name), value)
        for name, value in _variables(target).items()
    )
    return (
        ConfigFile(
            folder / "settings.json",
            ConfigFormat.JSON,
            settings,
            holds_key=bool(target.api_key),
        ),
    )


PROFILE = ToolProfile(
    name="claude-code",
    title="Claude Code",
    command=("claude",),
    install="npm install -g @anthropic-ai/claude-code",
    calls="/messages",
    context_tokens=64_000,
    context_source="https://docs.ollama.com/integrations/claude-code",
    files=_files,
)
