"""Who is connected: models, and tools that somebody has used for long."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from inference.client.connect.profiles import UserFolders
from inference.client.connect.registry import PROFILES
from inference.client.connect.target import ConnectTarget

if TYPE_CHECKING:
    from pathlib import Path

KEY = "s3cret-of-the-server"
BIG = {
    "id": "org/Qwen3-Coder",
    "state": "ready",
    "context_length": 131_072,
    "capabilities": ["text", "tools", "vision"],
    "aliases": ["coder"],
    "notes": [],
}
SMALL = {
    "id": "tiny",
    "state": "unloaded",
    "context_length": 2048,
    "capabilities": ["text"],
    "notes": ["calls are read by mlx-lm's parser, when they are whole"],
}
TOLD_NOTHING = {"id": "stranger"}
# What a tool has that somebody has used for long; each with a comment where it may.
FILLED = {
    "claude-code": {
        ".claude/settings.json": '{"permissions": {"allow": ["Bash(ls)"]}, "env": {"A": "b"}}'
    },
    "codex": {
        ".codex/config.toml": '# mine\nmodel = "gpt"  # best\napproval_policy = "never"\n\n[mcp_servers.x]\ncommand = "y"\n'
    },
    "opencode": {
        ".config/opencode/opencode.jsonc": '{\n  // mine\n  "provider": {"theirs": {}},\n  "theme": "dark", // nice\n}\n'
    },
    "aider": {
        ".aider.conf.yml": "# model: gpt\ndark-mode: true # nice\n",
        ".aider.model.metadata.json": '{"openai/x": {"max_input_tokens": 1}}\n',
    },
    "cline": {
        ".cline/data/settings/providers.json": '{\n\t"version": 1,\n\t"providers": {\n\t\t"cline": {}\n\t}\n}'
    },
    "continue": {
        ".continue/config.yaml": "name: Mine\nversion: 1.0.0\nschema: v1\nmodels:\n  - name: theirs # x\n    provider: ollama\n# end\n"
    },
    "zed": {
        ".config/zed/settings.json": '// Zed settings\n{\n  "agent": {\n    "dock": "left", // here\n  },\n}\n'
    },
    "goose": {
        ".config/goose/config.yaml": "GOOSE_PROVIDER: anthropic # mine\nextensions:\n  developer:\n    enabled: true\n    bundled: null\n"
    },
    "qwen-code": {
        ".qwen/settings.json": '{"modelProviders": {"openai": [{"id": "x", "envKey": "X"}]}, "$version": 4}'
    },
    "crush": {
        ".config/crush/crush.json": '{\r\n  "lsp": {\r\n    "go": {}\r\n  }\r\n}\r\n'
    },
}
WITH_FILES = sorted(FILLED)


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return all files below a folder, with their modes."""
    return {
        str(path.relative_to(folder)): (
            stat.S_IMODE(path.stat().st_mode),
            b"" if path.is_dir() else path.read_bytes(),
        )
        for path in sorted(folder.rglob("*"))
    }


def fill(home: Path, tool: str) -> None:
    for name, text in FILLED[tool].items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
        path.chmod(0o640)


def config_files(home: Path, tool: str) -> list[Path]:
    target = ConnectTarget("http://x/v1", "x", context_tokens=1)
    files = PROFILES[tool].files(target, UserFolders(home, {}))
    return [file.path for file in files]
