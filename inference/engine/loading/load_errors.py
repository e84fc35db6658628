"""What is told of a model that the libraries could not load: which file is at fault."""

from __future__ import annotations

import re

# A dataclass of the library, made from a config that lacks some of its keys.
_LACKING = re.compile(r"(\w+)\.__init__\(\) missing \d+ required [\w -]+: (.+)")
# What the library says where the config's model and the weights differ.
_UNLIKE = (
    re.compile(r"Missing \d+ parameters"),
    re.compile(r"Received \d+ parameters not in model"),
    re.compile(r"Expected shape .+ but received shape .+ for parameter"),
)


def told(error: Exception) -> str:
    """Return the reason in words that blame the right file, or the library's own."""
    words = str(error)
    lacking = _LACKING.match(words)
    if isinstance(error, TypeError) and lacking is not None:
        return f"config.json lacks {lacking[2]} ({lacking[1]})"
    if any(pattern.match(words) for pattern in _UNLIKE):
        return f"the weights are not of the model that config.json describes: {words}"
    return f"{type(error).__name__}: {words}"
