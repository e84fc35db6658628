"""Servers that answer a chat request byte by byte as a test wants it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

# As mlx_lm.server writes: blanks after colons, a role in every chunk, HTTP/1.0.
SPACED = (
    b'data: {"choices": [{"delta": {"role": "assistant", "content": "One"}, '
    b'"finish_reason": null}]}\n\n',
    b": keepalive 1/2\n\n",
    b'data: {"choices": [{"delta": {"role": "assistant", "content": " two"}, '
    b'"finish_reason": null}]}\n\n',
    b'data: {"choices": [{"delta": {"role": "assistant", "content": ""}, '
    b'"finish_reason": "length"}]}\n\n',
    b'data: {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2, '
    b'"prompt_tokens_details": {"cached_tokens": 4}}}\n\n',
    b"data: [DONE]\n\n",
)
# As a server without usage writes, tightly; the text looks like other fields.
TIGHT = (
    b'data: {"choices":[{"delta":{"role":"assistant","content":""}}]}\n\n',
    b'data: {"choices":[{"delta":{"content":"\\"usage\\":{\\"error\\"}"}}]}\n\n',
    b'data: {"choices":[{"delta":{"reasoning_content":"\\\\"}}]}\n\n',
    b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n',
    b"data: [DONE]\n\n",
)


def chunked(parts: Sequence[bytes], *, size: int) -> list[bytes]:
    """Return the same body in chunks of a size, wherever that cuts its lines."""
    body = b"".join(parts)
    cuts = [body[at : at + size] for at in range(0, len(body), size)]
    return [b"%x\r\n%s\r\n" % (len(cut), cut) for cut in (*cuts, b"")]


@asynccontextmanager
async def answering(
    *pieces: bytes, closes: bool
) -> AsyncIterator[tuple[str, list[asyncio.StreamWriter]]]:
    """Serve these pieces to every request; yield the address and the connections."""
    connections: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        while head := await _request(reader):
            assert head.startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            if closes:
                break
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/v1", connections


async def _request(reader: asyncio.StreamReader) -> bytes:
    """Read one request to its end; return its head, or nothing at the last."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    await reader.readexactly(length)
    return head
