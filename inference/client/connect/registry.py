"""All tools that can be connected. A new one is a file in `tools` and a line here."""

from __future__ import annotations

from inference.client.connect.tools import (
    aider,
    claude_code,
    cline,
    codex,
    continue_dev,
    copilot,
    crush,
    goose,
    open_webui,
    opencode,
    qwen_code,
    zed,
)

PROFILES = {
    module.PROFILE.name: module.PROFILE
    for module in (
        claude_code,
        codex,
        opencode,
        aider,
        cline,
        continue_dev,
        zed,
        open_webui,
        goose,
        qwen_code,
        crush,
        copilot,
    )
}
