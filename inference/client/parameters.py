"""Parameters of a request as people write them: `temperature=0.7`."""

from __future__ import annotations

import json
from typing import Any

# What a conversation says itself.
TAKEN = {
    "messages": "the conversation itself",
    "model": "see --model",
    "stream": "see --stream",
    "stream_options": "see --stream",
}
# What is worth being suggested; any other name is sent just as well.
USUAL = (
    *("temperature", "top_p", "top_k", "min_p", "max_tokens", "seed", "stop"),
    *("presence_penalty", "frequency_penalty", "repetition_penalty"),
    *("reasoning_effort", "chat_template_kwargs"),
)


def read_parameter(text: str) -> tuple[str, Any]:
    """Return name and value of `NAME=VALUE`; a value that is no JSON is a text.

    Raises:
        ValueError: it is not of that form, or is said elsewhere.
    """
    name, found, value = text.partition("=")
    name = name.strip()
    if not found or not name.isidentifier():
        raise ValueError(f"{text!r} is not NAME=VALUE, such as temperature=0.7")
    if name in TAKEN:
        raise ValueError(f"{name} cannot be set as a parameter ({TAKEN[name]})")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value.strip()
