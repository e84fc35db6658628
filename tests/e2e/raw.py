"""Clients that misbehave: bytes on a socket, as no library would send them."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.e2e.servers import Server

READ_BYTES = 65536


def head(
    server: Server,
    length: int | None,
    *,
    path: str = "/v1/chat/completions",
    host: str = "",
    **headers: str,
) -> bytes:
    """Return the head of a POST whose body is announced to have `length` bytes."""
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: {host or f'127.0.0.1:{server.port}'}",
        "Content-Type: application/json",
        *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
    ]
    if length is None:
        lines.append("Transfer-Encoding: chunked")
    else:
        lines.append(f"Content-Length: {length}")
    return "\r\n".join([*lines, "", ""]).encode()


def post(server: Server, body: dict[str, Any], **options: str) -> bytes:
    """Return a whole POST with a JSON body."""
    payload = json.dumps(body).encode()
    return head(server, len(payload), **options) + payload


async def connect(
    server: Server,
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a connection."""
    return await asyncio.open_connection("127.0.0.1", server.port)


async def answer_to(server: Server, data: bytes) -> tuple[int, dict[str, Any]]:
    """Send bytes, read until the server closes; return status and JSON body."""
    reader, writer = await connect(server)
    writer.write(data)
    try:
        return parsed(await reader.read(-1))
    finally:
        writer.close()


def parsed(answer: bytes) -> tuple[int, dict[str, Any]]:
    """Return status and JSON body of an HTTP response."""
    top, _, body = answer.partition(b"\r\n\r\n")
    status = int(top.split(b" ", 2)[1])
    return status, json.loads(body) if body.startswith(b"{") else {}
