"""Pictures, sites that serve them well or badly, and a way to reach such a site."""

from __future__ import annotations

import asyncio
import base64
import gc
import io
import struct
import time
import zlib
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from inference.core.errors import InferenceError
from inference.core.limits import DEFAULT_LIMITS, Limits
from inference.core.requests import ChatMessage, ImagePart, TextPart
from inference.images.addresses import AddressPolicy
from inference.images.fetching import ImageFetcher
from inference.images.hosts import HostList
from inference.images.loader import ImageLoader

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Sequence

PUBLIC = "93.184.215.14"
NAME = "img.test"


# --- pictures


def picture(
    kind: str = "PNG",
    size: tuple[int, int] = (8, 6),
    color: Any = (200, 30, 40),
    mode: str = "RGB",
    **options: Any,
) -> bytes:
    """A real image file of one colour."""
    file = io.BytesIO()
    Image.new(mode, size, color).save(file, kind, **options)
    return file.getvalue()


def data_url(data: bytes, kind: str = "image/png") -> str:
    """The image as a data URL."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def chunk(kind: bytes, data: bytes) -> bytes:
    """One chunk of a PNG."""
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def png_bomb(width: int, height: int) -> bytes:
    """A small file of many pixels: black, one bit each."""
    deflate = zlib.compressobj(9)
    row = b"\0" * (1 + (width + 7) // 8)
    packed = b"".join(deflate.compress(row) for _ in range(height)) + deflate.flush()
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", packed)
        + chunk(b"IEND", b"")
    )


def asked(*urls: str) -> tuple[ChatMessage, ...]:
    """A conversation whose second turn has a text, then these images."""
    parts = [ImagePart(url) for url in urls]
    return (
        ChatMessage("system", (TextPart("Look."),)),
        ChatMessage("user", (TextPart("What is it?"), *parts)),
    )


# --- time and memory


def memory_bytes(name: str) -> int:
    """Return what Linux says of this process's memory: `VmRSS` now, `VmHWM` at most."""
    status = Path("/proc/self/status").read_text()
    line = next(one for one in status.splitlines() if one.startswith(name))
    return int(line.split()[1]) * 1024


def processor_s(work: Callable[[], object]) -> float:
    """Return the processor time of a piece of work, the least of three times.

    What else a machine and an interpreter do meanwhile only ever adds to it.
    """
    taken = []
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            begun = time.thread_time()
            work()
            taken.append(time.thread_time() - begun)
    finally:
        gc.enable()
    return min(taken)


# --- sites


class Site:
    """A server on this machine that answers each GET as `handler` does."""

    def __init__(self, handler: Any) -> None:
        self._handler = handler
        self.heads: list[str] = []
        self.sent_bytes = 0
        self.open = 0
        self.port = 0
        self._changed = asyncio.Event()

    async def until_open(self, count: int) -> None:
        """Wait until so many connections are open at a time."""
        async with asyncio.timeout(60):
            while self.open != count:
                self._changed.clear()
                await self._changed.wait()

    async def send(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        """Send, and count what the other side's buffers took."""
        writer.write(data)
        await writer.drain()
        self.sent_bytes += len(data)

    async def answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Serve one connection."""
        self._count(1)
        with suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.heads.append(head)
            await self._handler(self, head.split()[1], writer)
        self._count(-1)
        writer.close()

    def _count(self, change: int) -> None:
        self.open += change
        self._changed.set()


@asynccontextmanager
async def site(
    handler: Any, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Site]:
    """Run a site for the length of a test."""
    it = Site(handler)
    server = await asyncio.start_server(it.answer, "127.0.0.1", 0, ssl=tls)
    it.port = server.sockets[0].getsockname()[1]
    try:
        yield it
    finally:
        server.close()


def serving(data: bytes, *headers: str, status: str = "200 OK") -> Any:
    """Make a handler that answers with `data`."""
    lines = (f"HTTP/1.1 {status}", f"Content-Length: {len(data)}", *headers, "", "")
    head = "\r\n".join(lines).encode()

    async def handle(site: Site, _path: str, writer: asyncio.StreamWriter) -> None:
        await site.send(writer, head + data)

    return handle


async def silent(_site: Site, _path: str, _writer: asyncio.StreamWriter) -> None:
    """Answer nothing for as long as any test lasts."""
    await asyncio.sleep(60)


def redirecting(target: str, status: int = 302) -> Any:
    """Make a handler that sends everybody elsewhere."""
    return serving(b"", f"Location: {target}", status=f"{status} Moved")


class RoutedPolicy(AddressPolicy):
    """The real policy; afterwards, what it allowed leads to a site of the test."""

    def __init__(
        self, port: int, resolve: Callable[[str, int], Sequence[str]] | None = None
    ) -> None:
        self.looked_up: list[str] = []
        self.given: list[str] = []

        def look_up(host: str, at: int) -> Sequence[str]:
            self.looked_up.append(host)
            return resolve(host, at) if resolve else [PUBLIC]

        super().__init__(resolve=look_up)
        self._site_port = port

    async def endpoints(self, host: str, port: int) -> Sequence[tuple[str, int]]:
        """Judge, then lead to the site."""
        allowed = await super().endpoints(host, port)
        self.given += [address for address, _ in allowed]
        return [("127.0.0.1", self._site_port) for _ in allowed]


def loader(
    policy: AddressPolicy | None = None,
    *,
    timeout_s: float = 30.0,
    hosts: Sequence[str] = (),
    tls: ssl.SSLContext | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> ImageLoader:
    """A loader as a server makes it, but with the test's policy."""
    fetcher = ImageFetcher(
        timeout_s=timeout_s,
        hosts=HostList(hosts),
        policy=policy,
        tls=tls,
        limits=limits,
    )
    return ImageLoader(fetcher=fetcher, limits=limits)


async def refusal(loads: ImageLoader, *urls: str) -> InferenceError:
    """Return the error that images end with, which names the first of them."""
    with pytest.raises(InferenceError) as refused:
        await loads.load(asked(*urls))
    await loads.close()
    return refused.value
