"""Servers that stall, flood or lie: each is refused in good time."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
import time
import tracemalloc
from typing import Any

import pytest

from inference.core.errors import (
    ImageTooLargeError,
)
from inference.core.limits import Limits
from tests.images.cast import (
    NAME,
    PUBLIC,
    RoutedPolicy,
    Site,
    asked,
    loader,
    redirecting,
    refusal,
    silent,
    site,
)

URL = f"http://{NAME}/a.png"
FEW_BYTES = Limits(image_bytes=256 * 1024)
# What the sockets' buffers between two processes take in before a writer waits.
BUFFERED = 8 * 1024 * 1024


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nContent-Length: 10\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"+PONG\r\n-ERR unknown command\r\n",
    ],
)
async def test_a_server_that_speaks_badly_is_refused(answer: bytes) -> None:
    async def handle(site: Site, _path: str, writer: asyncio.StreamWriter) -> None:
        await site.send(writer, answer)

    async with site(handle) as it:
        error = await refusal(loader(RoutedPolicy(it.port)), URL)

    assert (error.code, error.http_status) == ("image_fetch_failed", 400)


async def test_a_place_where_nobody_listens_is_refused() -> None:
    with socket.socket() as bound:  # and so nobody else's meanwhile
        bound.bind(("127.0.0.1", 0))
        error = await refusal(loader(RoutedPolicy(bound.getsockname()[1])), URL)

    assert error.code == "image_fetch_failed"


async def test_an_announced_length_over_the_limit_is_not_read() -> None:
    async def handle(site: Site, _path: str, writer: asyncio.StreamWriter) -> None:
        await site.send(writer, b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n")
        await asyncio.sleep(10)

    async with site(handle) as it:
        error = await refusal(loader(RoutedPolicy(it.port), timeout_s=9), URL)

    assert error.code == "image_too_large"


@pytest.mark.parametrize("is_chunked", [False, True])
async def test_an_endless_body_is_cut_off(is_chunked: bool) -> None:
    block = b"x" * 65_536
    piece = b"10000\r\n" + block + b"\r\n" if is_chunked else block
    head = b"Transfer-Encoding: chunked" if is_chunked else b"Content-Type: image/png"

    async def handle(site: Site, _path: str, writer: asyncio.StreamWriter) -> None:
        await site.send(writer, b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n")
        while True:
            await site.send(writer, piece)

    async with site(handle) as it:
        policy = RoutedPolicy(it.port)
        error = await refusal(loader(policy, limits=FEW_BYTES), URL)
        await it.until_open(0)

    assert error.code == "image_too_large"
    assert it.sent_bytes < FEW_BYTES.image_bytes + BUFFERED


@pytest.mark.parametrize(
    ("flood", "code"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\n", "image_fetch_failed"),
        (b"HTTP/1.1 200 OK\r\n" + b"X-Long: " + b"a" * 90_000, "image_fetch_failed"),
        (b"\r\n", "image_fetch_failed"),
    ],
)
async def test_a_flood_of_small_things_is_cut_off(flood: bytes, code: str) -> None:
    async def handle(site: Site, _path: str, writer: asyncio.StreamWriter) -> None:
        while True:
            await site.send(writer, flood * max(1, 65_536 // len(flood)))

    async with site(handle) as it:
        loads = loader(RoutedPolicy(it.port), timeout_s=20)
        begun = time.monotonic()
        error = await refusal(loads, URL)
        await it.until_open(0)
        taken_s = time.monotonic() - begun

    assert error.code == code
    assert "within" not in error.message  # not the deadline
    assert it.sent_bytes < BUFFERED
    assert taken_s < 20


async def test_an_answer_in_crumbs_is_cut_off() -> None:
    async def handle(site: Site, _path: str, writer: asyncio.StreamWriter) -> None:
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        await site.send(writer, head)
        while True:
            await site.send(writer, b"1\r\nx\r\n" * 10_000)

    async with site(handle) as it:
        error = await refusal(loader(RoutedPolicy(it.port), timeout_s=20), URL)
        await it.until_open(0)

    assert error.code == "image_fetch_failed"
    assert "too small pieces" in error.message
    assert it.sent_bytes < BUFFERED


async def _slow_head(site: Site, _path: str, writer: asyncio.StreamWriter) -> None:
    await site.send(writer, b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while True:
        await site.send(writer, b"a")
        await asyncio.sleep(0.02)


async def _slow_body(site: Site, _path: str, writer: asyncio.StreamWriter) -> None:
    await site.send(writer, b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
    while True:
        await site.send(writer, b"a")
        await asyncio.sleep(0.02)


async def _slow_redirects(site: Site, path: str, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(0.15)
    await redirecting("/again")(site, path, writer)


@pytest.mark.parametrize("handle", [silent, _slow_head, _slow_body, _slow_redirects])
async def test_a_slow_server_is_refused_within_the_deadline(handle: Any) -> None:
    async with site(handle) as it:
        loads = loader(RoutedPolicy(it.port), timeout_s=0.4)
        begun = time.monotonic()
        error = await refusal(loads, URL)
        taken_s = time.monotonic() - begun

    assert (error.code, error.http_status) == ("image_fetch_failed", 400)
    assert "within 0.4 s" in error.message
    assert 0.3 < taken_s < 20


async def test_a_slow_name_server_is_refused_within_the_deadline() -> None:
    answer = threading.Event()
    policy = RoutedPolicy(9, lambda *_: [PUBLIC] if answer.wait(30) else [])
    loads = loader(policy, timeout_s=0.3)
    begun = time.monotonic()
    error = await refusal(loads, URL)
    taken_s = time.monotonic() - begun
    answer.set()

    assert "within 0.3 s" in error.message
    assert taken_s < 20


async def test_memory_stays_flat_under_attack() -> None:
    async def endless(site: Site, _path: str, writer: asyncio.StreamWriter) -> None:
        await site.send(writer, b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            await site.send(writer, b"x" * 65_536)

    async with site(endless) as it:
        loads = loader(RoutedPolicy(it.port), limits=Limits(image_bytes=1 << 20))
        tracemalloc.start()
        for _attack in range(25):
            with pytest.raises(ImageTooLargeError):
                await loads.load(asked(*[URL] * 4))
            await it.until_open(0)
            gc.collect()  # exceptions and their frames hold each other
        left, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        await loads.close()

    assert it.sent_bytes > 25 << 20
    assert most < 12 << 20  # four images of at most a megabyte, and the buffers of both
    assert left < 3 << 20
