"""Embeddings on the wire: owns their shape and encoding."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from struct import Struct
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from inference.core.encoding import Encoded

# So many numbers take a millisecond or two; more are written in a thread.
_AT_ONCE_BYTES = 64 * 1024
_encode = msgspec.json.Encoder().encode


async def embeddings_body(encoded: Encoded, model: str, *, as_base64: bool) -> bytes:
    """Return the body, and hold up nobody while it is written."""
    if len(encoded.values) <= _AT_ONCE_BYTES:
        return _body(encoded, model, as_base64=as_base64)
    return await asyncio.to_thread(_body, encoded, model, as_base64=as_base64)


def _body(encoded: Encoded, model: str, *, as_base64: bool) -> bytes:
    numbers = Struct(f"<{encoded.width}f")
    # A vector at a time, so that others run in between.
    data = [
        _encode(
            {
                "object": "embedding",
                "index": index,
                "embedding": b64encode(vector).decode()
                if as_base64
                else numbers.unpack(vector),
            }
        )
        for index, vector in enumerate(encoded.vectors)
    ]
    rest: dict[str, Any] = {
        "object": "list",
        "data": msgspec.Raw(b"[" + b",".join(data) + b"]"),
        "model": model,
        "usage": {"prompt_tokens": encoded.tokens, "total_tokens": encoded.tokens},
    }
    return _encode(rest)
