"""GitHub Copilot's command line: by its environment, without an account.

https://docs.github.com/en/copilot/how-tos/copilot-cli/customize-copilot/use-byok-models
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.client.connect.profiles import ToolProfile

if TYPE_CHECKING:
    from inference.client.connect.target import ConnectTarget


def _environment(target: ConnectTarget) -> dict[str, str]:
    variables = {
        "COPILOT_PROVIDER_TYPE": "openai",
        "COPILOT_PROVIDER_WIRE_API": "completions",
        "COPILOT_PROVIDER_BASE_URL": target.base_url,
        "COPILOT_PROVIDER_API_KEY": target.key,
        "COPILOT_MODEL": target.model,
    }
    if target.context_tokens and target.answer_tokens:
        prompt = target.context_tokens - target.answer_tokens
        variables["COPILOT_PROVIDER_MAX_PROMPT_TOKENS"] = str(prompt)
        variables["COPILOT_PROVIDER_MAX_OUTPUT_TOKENS"] = str(target.answer_tokens)
    return variables


PROFILE = ToolProfile(
    name="copilot",
    title="GitHub Copilot CLI",
    command=("copilot",),
    install="npm install -g @github/copilot",
    context_tokens=128_000,
    context_source="https://docs.github.com/en/copilot/how-tos/copilot-cli/"
    "customize-copilot/use-byok-models",
    environment=_environment,
    advice="it has no file for this; in VS Code enter the same under Manage Models, "
    "OpenAI Compatible",
)
