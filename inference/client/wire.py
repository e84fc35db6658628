"""One streamed chat request with as little client as possible, timed.

A load generator shares the machine with the server it measures; parsing every
chunk into objects would measure the client. This one reads lines and looks into
the JSON of the last one only, where the usage stands.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

LINE_BYTES = 4 * 1024 * 1024


class RequestFailedError(RuntimeError):
    """The server answered with an error, or its stream broke off."""


@dataclass(frozen=True, slots=True)
class StreamTiming:
    """One answer: seconds to the first text, to the end, and between chunks."""

    ttft_s: float
    total_s: float
    gaps_s: tuple[float, ...]
    completion_tokens: int
    finish_reason: str


class ChatConnection:
    """One kept-alive connection to `base_url` (`http://host:port/v1`).

    One request at a time, as a client's connection pool sends them.
    """

    def __init__(self, base_url: str, *, api_key: str = "") -> None:
        self._address = urlsplit(base_url)
        self._api_key = api_key
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def stream_chat(self, body: dict[str, Any]) -> StreamTiming:
        """Post a chat request and read its whole answer.

        Raises:
            RequestFailedError: any status but 200, an error event, or no `[DONE]`.
            OSError: the server cannot be reached.
        """
        reader, writer = self._streams or await self._open()
        self._streams = None
        began = time.perf_counter()
        writer.write(
            _request_bytes(
                self._address.netloc, self._address.path, body, self._api_key
            )
        )
        try:
            await _read_head(reader)
            timing = await _read_events(reader, began)
            await _read_last_chunk(reader)
        except BaseException:
            writer.close()
            raise
        self._streams = reader, writer
        return timing

    def close(self) -> None:
        """Close the connection, if it is open."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(
            self._address.hostname, self._address.port or 80, limit=LINE_BYTES
        )


def _request_bytes(host: str, path: str, body: dict[str, Any], api_key: str) -> bytes:
    options = {"stream": True, "stream_options": {"include_usage": True}}
    payload = json.dumps({**body, **options}).encode()
    key = f"Authorization: Bearer {api_key}\r\n" if api_key else ""
    head = (
        f"POST {path}/chat/completions HTTP/1.1\r\nHost: {host}\r\n{key}"
        f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n\r\n"
    )
    return head.encode() + payload


async def _read_head(reader: asyncio.StreamReader) -> None:
    status = await reader.readline()
    if b" 200 " not in status:
        rest = await reader.read(4096)
        raise RequestFailedError((status + rest).decode("utf-8", "replace")[:500])
    while (await reader.readline()).strip():
        continue


async def _read_events(reader: asyncio.StreamReader, began: float) -> StreamTiming:
    stamps: list[float] = []
    last = finishing = b""
    while line := await reader.readline():
        if not line.startswith(b"data: "):
            continue
        if line.startswith(b"data: [DONE]"):
            return _to_timing(began, stamps, finishing, last)
        if b'"content":"' in line and b'"role"' not in line:
            stamps.append(time.perf_counter())
        finishing, last = last, line
    raise RequestFailedError(f"The stream broke off after: {last[:300]!r}")


async def _read_last_chunk(reader: asyncio.StreamReader) -> None:
    """Read to the end of the chunked body, so that the connection can be used again."""
    while line := await reader.readline():
        if line == b"0\r\n":
            await reader.readline()
            return


def _to_timing(
    began: float, stamps: list[float], finishing: bytes, last: bytes
) -> StreamTiming:
    ended = time.perf_counter()
    usage = json.loads(last[6:])["usage"]
    choices = json.loads(finishing[6:])["choices"]
    return StreamTiming(
        ttft_s=(stamps[0] if stamps else ended) - began,
        total_s=ended - began,
        gaps_s=tuple(b - a for a, b in pairwise(stamps)),
        completion_tokens=usage["completion_tokens"],
        finish_reason=choices[0]["finish_reason"],
    )
