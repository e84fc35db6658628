"""One streamed chat request with as little client as possible, timed.

A load generator shares the machine with the server it measures; parsing every
chunk into objects would measure the client. This one looks at lines, and into the
JSON of two of them: the one that says why the answer ended, and the one with the
usage. It speaks to any OpenAI-compatible server, chunked or not, kept alive or not.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LINE_BYTES = 4 * 1024 * 1024
ERROR_BYTES = 4096

# Servers differ in the blank after the colon. Inside a text the quotes are escaped.
_TEXT = re.compile(rb'"(?:content|reasoning_content|reasoning)": ?"[^"]')
_FINISH = re.compile(rb'"finish_reason": ?"')
_USAGE = re.compile(rb'"usage": ?\{')
_ERROR = re.compile(rb'data: ?\{"error"')


class RequestFailedError(RuntimeError):
    """The server answered with an error, or its stream broke off."""


@dataclass(frozen=True, slots=True)
class StreamTiming:
    """One answer: seconds to the first text, to the end, and between chunks.

    `cached_tokens` of the prompt were not read anew, as far as the server tells. A server that tells no usage leaves `prompt_tokens` at 0, and one chunk counts as
    one token.
    """

    ttft_s: float
    total_s: float
    gaps_s: tuple[float, ...]
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    finish_reason: str


@dataclass(frozen=True, slots=True)
class _Head:
    """What the head of an answer says about the rest of the connection."""

    status: int
    is_chunked: bool
    length: int | None
    is_kept: bool


class ChatConnection:
    """One connection to `base_url` (`http://host:port/v1`), kept alive where it may be.

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
        writer.write(self._request(body))
        try:
            head = await _read_head(reader)
            lines = _body_lines(reader, head)
            await _check(head, lines)
            timing = await _read_events(lines, began)
        except (ValueError, LookupError, TypeError, AttributeError):
            writer.close()
            raise RequestFailedError("an answer that nobody can read") from None
        except BaseException:
            writer.close()
            raise
        if head.is_kept:
            self._streams = reader, writer
        else:
            writer.close()
        return timing

    def close(self) -> None:
        """Close the connection, if it is open."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        is_secure = self._address.scheme == "https"
        return await asyncio.open_connection(
            self._address.hostname,
            self._address.port or (443 if is_secure else 80),
            limit=LINE_BYTES,
            ssl=is_secure or None,
        )

    def _request(self, body: dict[str, Any]) -> bytes:
        options = {"stream": True, "stream_options": {"include_usage": True}}
        payload = json.dumps({**body, **options}).encode()
        key = f"Authorization: Bearer {self._api_key}\r\n" if self._api_key else ""
        host, path = self._address.netloc.rpartition("@")[2], self._address.path
        head = (
            f"POST {path.rstrip('/')}/chat/completions HTTP/1.1\r\nHost: {host}\r\n"
            f"{key}Content-Type: application/json\r\n"
            f"Content-Length: {len(payload)}\r\n\r\n"
        )
        return head.encode() + payload


async def _read_head(reader: asyncio.StreamReader) -> _Head:
    first = await reader.readline()
    version, _, rest = first.partition(b" ")
    status = rest[:3].decode("latin-1")
    if not version.startswith(b"HTTP/") or not status.isdecimal():
        raise RequestFailedError(
            f"no HTTP answer but {first[:80]!r}" if first else "no answer came"
        )
    is_chunked, length, is_kept = False, None, version >= b"HTTP/1.1"
    while line := (await reader.readline()).strip().lower():
        name, _, value = line.partition(b":")
        if name == b"transfer-encoding":
            is_chunked = b"chunked" in value
        elif name == b"content-length":
            length = int(value)
        elif name == b"connection":
            is_kept = b"close" not in value
    # Without either only the end of the connection ends a body.
    has_end = is_chunked or length is not None
    return _Head(int(status), is_chunked, length, is_kept and has_end)


async def _body_lines(
    reader: asyncio.StreamReader, head: _Head
) -> AsyncIterator[bytes]:
    """Yield the lines of a body as they arrive, wherever its chunks are cut."""
    if not head.is_chunked and head.length is not None:
        for line in (await reader.readexactly(head.length)).split(b"\n"):
            yield line
        return
    if not head.is_chunked:
        while line := await reader.readline():
            yield line
        return
    rest = b""
    while chunk := await _read_chunk(reader):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line
    if rest:
        yield rest


async def _read_chunk(reader: asyncio.StreamReader) -> bytes:
    """Return the next chunk of a body; nothing once it is over or broken off."""
    size = await reader.readline()
    try:
        count = int(size.partition(b";")[0], 16)
    except ValueError:
        return b""
    try:
        chunk = await reader.readexactly(count + 2)
    except asyncio.IncompleteReadError as error:
        return error.partial
    return chunk[:-2]


async def _check(head: _Head, lines: AsyncIterator[bytes]) -> None:
    """Raise, in the server's own words, unless it answers."""
    if head.status == 200:
        return
    body = b""
    async for line in lines:
        body += line
        if len(body) > ERROR_BYTES:
            break
    raise RequestFailedError(f"{head.status}: {_message(body)}")


def _message(body: bytes) -> str:
    """Return an error body's own words, however it packs them."""
    try:
        error = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        return " ".join(body[:300].decode("utf-8", "replace").split())
    words = error.get("message") if isinstance(error, dict) else error
    return " ".join(str(words).split())[:500]


async def _read_events(lines: AsyncIterator[bytes], began: float) -> StreamTiming:
    """Read to the end of the body, so that the connection can be used again."""
    stamps: list[float] = []
    last = finishing = usage = b""
    ended = 0.0
    async for line in lines:
        if not line.startswith(b"data:"):
            continue
        if line.startswith(b"data: [DONE]"):
            ended = time.perf_counter()
            continue
        if _TEXT.search(line):
            stamps.append(time.perf_counter())
        if _FINISH.search(line):
            finishing = line
        if _USAGE.search(line):
            usage = line
        if _ERROR.match(line):
            raise RequestFailedError(_message(line[5:]))
        last = line
    if not ended:
        raise RequestFailedError(f"the stream broke off after: {last[:300]!r}")
    return _to_timing(began, stamps, ended, finishing=finishing, usage=usage)


def _to_timing(
    began: float, stamps: list[float], ended: float, *, finishing: bytes, usage: bytes
) -> StreamTiming:
    counts = json.loads(usage[5:])["usage"] if usage else {}
    details = counts.get("prompt_tokens_details") or {}
    choices = json.loads(finishing[5:])["choices"] if finishing else [{}]
    return StreamTiming(
        ttft_s=(stamps[0] if stamps else ended) - began,
        total_s=ended - began,
        gaps_s=tuple(b - a for a, b in pairwise(stamps)),
        prompt_tokens=counts.get("prompt_tokens") or 0,
        cached_tokens=details.get("cached_tokens") or 0,
        completion_tokens=counts.get("completion_tokens") or len(stamps),
        finish_reason=choices[0].get("finish_reason") or "",
    )
