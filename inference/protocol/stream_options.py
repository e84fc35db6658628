"""How a client wants its stream: `stream_options`."""

from __future__ import annotations

import msgspec


class StreamOptions(msgspec.Struct, frozen=True):
    """Whether a stream ends with its usage, and whether each chunk carries it."""

    include_usage: bool = False
    continuous_usage: bool = False
