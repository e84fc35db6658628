"""What the process that downloads says to the one that started it: lines of JSON."""

from __future__ import annotations

import msgspec

# Weights, configuration, tokenizer, chat template. No code, no pickles.
PATTERNS = [
    "*.safetensors",
    "*.json",
    "*.jinja",
    "*.txt",
    "*.model",
    "*.tiktoken",
]


class DownloadProgress(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far a download is; both counts cover what an earlier attempt left."""

    done_bytes: int
    total_bytes: int


class Fetched(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The last line of a download that succeeded: the model's folder."""

    path: str


class HubRefusal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The last line of one that did not: why, in one line for a user."""

    error: str


def read_report(line: bytes) -> DownloadProgress | Fetched | HubRefusal:
    """Return what a line says.

    Raises:
        msgspec.DecodeError: it is not one of the three.
    """
    fields = msgspec.json.decode(line, type=dict[str, int | str])
    if "path" in fields:
        return msgspec.convert(fields, type=Fetched)
    if "error" in fields:
        return msgspec.convert(fields, type=HubRefusal)
    return msgspec.convert(fields, type=DownloadProgress)
