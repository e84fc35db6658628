"""A request as a command that asks for the same again; the key is never in it."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from metrics.models import RequestBody, RequestLog

_PLACEHOLDER = "…"
# Which field carries what is asked, by endpoint.
_ASKING = {
    "/v1/completions": ("prompt", _PLACEHOLDER),
    "/v1/embeddings": ("input", _PLACEHOLDER),
    "/v1/responses": ("input", _PLACEHOLDER),
}
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
            value = _PLACEHOLDER
        fields[name] = value
    name, placeholder = _ASKING.get(row.endpoint, _MESSAGES)
    if isinstance(prompt, dict):
        return fields | prompt, [one for one in left_out if one not in prompt]
    if prompt is not None:
        return fields | {name: prompt}, left_out
    return fields | {name: placeholder}, [*left_out, name]


def is_shortened(value: Any) -> bool:
    """Return whether a recorded value only says how long the real one was."""
    return (
        isinstance(value, str) and value.startswith("(") and value.endswith(" bytes)")
    )
