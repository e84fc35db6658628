"""What is known of a tool: where its configuration lies, and what is set there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from inference.client.connect.documents.merging import ConfigFormat
    from inference.client.connect.documents.settings import ConfigSetting
    from inference.client.connect.target import ConnectTarget

# What tools call this server in their own lists, and where they look for its key.
PROVIDER = "mlx-server"
KEY_VARIABLE = "MLX_SERVER_API_KEY"

# Ollama's figure for agents that say none themselves.
AGENT_TOKENS = 64_000
AGENT_SOURCE = "https://docs.ollama.com/context-length"


@dataclass(frozen=True, slots=True)
class UserFolders:
    """Where a user's tools keep their configuration; variables may say otherwise."""

    home: Path
    environment: Mapping[str, str]

    @property
    def config(self) -> Path:
        """Return the folder of tools that follow XDG, also on macOS."""
        return self.named("XDG_CONFIG_HOME", self.home / ".config")

    def named(self, variable: str, usual: Path) -> Path:
        """Return the folder that a variable names, or the usual one."""
        named = self.environment.get(variable, "").strip()
        return Path(named).expanduser() if named else usual


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """One file of a tool, and what is set in it. `holds_key`: others may not read it."""

    path: Path
    language: ConfigFormat
    settings: tuple[ConfigSetting, ...]
    holds_key: bool = False


def no_files(_target: ConnectTarget, _folders: UserFolders) -> tuple[ConfigFile, ...]:
    """Return nothing: the tool is configured by its environment alone."""
    return ()


def no_environment(_target: ConnectTarget) -> dict[str, str]:
    """Return nothing: the tool's files say everything."""
    return {}


@dataclass(frozen=True, slots=True)
class ToolProfile:
    """One tool. `context_tokens` is what it needs of a model, `context_source` who says so.

    `calls` is the address that it speaks to, below the base URL. `environment` is set
    where the tool is started, and shown where it is not. `advice` is what else a user
    should know.
    """

    name: str
    title: str
    command: tuple[str, ...]
    install: str
    context_tokens: int
    context_source: str
    calls: str = "/chat/completions"
    files: Callable[[ConnectTarget, UserFolders], tuple[ConfigFile, ...]] = no_files
    environment: Callable[[ConnectTarget], dict[str, str]] = no_environment
    needs_context: bool = False
    uses_tools: bool = True
    advice: str = ""
