"""A request as a command that asks for the same again; the key is never in it."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from metrics.models import RequestBody, RequestLog

_PLACEHOLDER = "…"
_IMAGE = "data:image/png;base64,…"
# Which field carries what is asked, by endpoint.
_ASKING = {
    "/v1/completions": ("prompt", _PLACEHOLDER),
    "/v1/embeddings": ("input", _PLACEHOLDER),
    "/v1/rerank": ("documents", [_PLACEHOLDER]),
    "/v1/responses": ("input", _PLACEHOLDER),
}
# What an endpoint needs beside that, and no row keeps.
_NEEDED = {"/v1/rerank": ("query",)}
# What is kept of a conversation is told in chat's words, which these do not take.
_IN_OTHER_WORDS = ("/v1/messages", "/v1/responses")
_MESSAGES = ("messages", [{"role": "user", "content": _PLACEHOLDER}])


@dataclass(frozen=True, slots=True)
class CurlCommand:
    """The command, and which of its fields the reader has to fill in."""

    text: str
    left_out: tuple[str, ...]

    @classmethod
    def of(
        cls, row: RequestLog, body: RequestBody | None, *, origin: str
    ) -> Self | None:
        """Return it; `None` for what did not come over HTTP."""
        if not row.endpoint.startswith("/v1/"):
            return None
        fields, left_out = _fields(row, body.prompt if body else None)
        data = json.dumps(fields, ensure_ascii=False, indent=2)
        lines = [
            f"curl {shlex.quote(origin + row.endpoint)}",
            '-H "Authorization: Bearer $MLX_API_KEY"' if row.key_name else "",
            "-H 'Content-Type: application/json'",
            f"-d {shlex.quote(data)}",
        ]
        return cls(" \\\n  ".join(filter(None, lines)), tuple(left_out))


def _fields(row: RequestLog, prompt: Any) -> tuple[dict[str, Any], list[str]]:
    fields: dict[str, Any] = {}
    if row.model_requested or row.model:
        fields["model"] = row.model_requested or row.model
    left_out = []
    for name, value in row.params.items():
        if name == "ignored":
            continue
        if is_shortened(value):
            left_out.append(name)
        fields[name] = _PLACEHOLDER if is_shortened(value) else value
    needed = _NEEDED.get(row.endpoint, ())
    fields |= dict.fromkeys(needed, _PLACEHOLDER)
    left_out += needed
    name, placeholder = _ASKING.get(row.endpoint, _MESSAGES)
    if row.endpoint.startswith(_IN_OTHER_WORDS):
        prompt = None
    kept = prompt if isinstance(prompt, dict) else {name: prompt}
    if kept.get("tools"):
        fields["tools"] = [_to_tool(tool) for tool in kept["tools"]]
        left_out = [one for one in left_out if one != "tools"]
    if not kept.get(name):
        return fields | {name: placeholder}, [*left_out, name]
    asked = kept[name]
    if isinstance(asked, list):
        asked = [_to_message(message) for message in asked]
    if _IMAGE in json.dumps(asked, ensure_ascii=False):
        left_out.append("the images")
    return fields | {name: asked}, left_out


def _to_message(kept: Any) -> Any:
    """Return a kept message as the API takes it."""
    if not isinstance(kept, dict):
        return kept
    message = {name: value for name, value in kept.items() if name != "reasoning"}
    if kept.get("reasoning"):
        message["reasoning_content"] = kept["reasoning"]
    content = kept.get("content")
    if isinstance(content, list):
        message["content"] = _to_content(content)
    if kept.get("tool_calls"):
        message["tool_calls"] = [_to_call(call) for call in kept["tool_calls"]]
    return message


def _to_content(parts: list[Any]) -> Any:
    """Return one text as a text, and anything else as parts."""
    if (
        len(parts) == 1
        and isinstance(parts[0], dict)
        and parts[0].get("type") == "text"
    ):
        return parts[0].get("text", "")
    return [
        {"type": "image_url", "image_url": {"url": _IMAGE}}
        if isinstance(part, dict) and part.get("type") == "image"
        else part
        for part in parts
    ]


def _to_call(call: Any) -> Any:
    if not isinstance(call, dict) or "function" in call:
        return call
    function = {name: call.get(name, "") for name in ("name", "arguments")}
    return {"id": call.get("id", ""), "type": "function", "function": function}


def _to_tool(tool: Any) -> Any:
    if not isinstance(tool, dict) or "function" in tool:
        return tool
    known = ("name", "description", "parameters", "strict")
    function = {name: tool[name] for name in known if name in tool}
    return {"type": "function", "function": function}


def is_shortened(value: Any) -> bool:
    """Return whether a recorded value only says how long the real one was."""
    return (
        isinstance(value, str) and value.startswith("(") and value.endswith(" bytes)")
    )
