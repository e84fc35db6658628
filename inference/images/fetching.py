"""Fetches images over http(s): bounded in time, bytes, redirects and company."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpcore
import httpx

from inference.core.errors import (
    ImageFetchError,
    ImageTooLargeError,
    ImageUrlNotAllowedError,
    QueueTimeoutError,
)
from inference.core.limits import DEFAULT_LIMITS, Limits
from inference.images.addresses import AddressPolicy
from inference.images.hosts import HostList
from inference.images.sources import RemoteImage, to_remote
from inference.images.transport import CheckedBackend

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

    from inference.images.room import ByteRoom

REDIRECTS = frozenset({301, 302, 303, 307, 308})
_OCTETS = ("application/octet-stream", "binary/octet-stream")
_FAILURES = (
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.TimeoutException,
    OSError,
)
# An answer in crumbs costs the loop more than it is worth.
_PIECES_FREE = 4096
_BYTES_PER_PIECE = 256
_PIECES_PER_TURN = 64


class ImageFetcher:
    """Owns the places for fetches of one server.

    Connections are made for one answer and closed: nothing is shared between
    requests. No proxies, no cookies, no compression; `policy` says where a
    connection may go, `hosts` which names may be asked for.
    """

    def __init__(
        self,
        *,
        timeout_s: float,
        hosts: HostList | None = None,
        policy: AddressPolicy | None = None,
        tls: ssl.SSLContext | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._timeout_s = timeout_s
        self._hosts = hosts or HostList()
        self._policy = policy or AddressPolicy()
        self._tls = tls or httpx.create_ssl_context()
        self._limits = limits
        self._places = asyncio.Semaphore(limits.image_fetches)

    async def fetch(self, image: RemoteImage, room: ByteRoom) -> bytes:
        """Return what the URL leads to; its bytes are taken from `room`.

        Raises:
            InvalidRequestError: it may not be fetched, or was not within the time.
            QueueTimeoutError: too many others are being fetched.
        """
        async with self._place():
            try:
                async with asyncio.timeout(self._timeout_s):
                    return await self._follow(image, room)
            except TimeoutError:
                raise ImageFetchError(
                    f"it did not arrive from '{image.shown_host}' within "
                    f"{self._timeout_s:g} s."
                ) from None
            except _FAILURES:
                raise ImageFetchError(
                    f"it could not be fetched from '{image.shown_host}'."
                ) from None

    def close(self) -> None:
        """Begin no look-ups any more."""
        self._policy.close()

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._places.acquire()
        except TimeoutError:
            raise QueueTimeoutError("Too many images are being fetched.") from None
        try:
            yield
        finally:
            self._places.release()

    async def _follow(self, image: RemoteImage, room: ByteRoom) -> bytes:
        """Fetch, and follow redirects; each is checked like the first URL."""
        for _ in range(self._limits.image_redirects + 1):
            if image.host not in self._hosts:
                raise ImageUrlNotAllowedError(
                    f"the host '{image.shown_host}' is not among IMAGE_HOSTS."
                )
            async with self._answer(image) as answer:
                if answer.status not in REDIRECTS:
                    return await self._read(answer, image, room)
                image = self._redirected(image, answer)
        raise ImageFetchError(
            f"its URL redirects more than {self._limits.image_redirects} times."
        )

    @asynccontextmanager
    async def _answer(self, image: RemoteImage) -> AsyncIterator[httpcore.Response]:
        url = image.url
        backend = CheckedBackend(self._policy)
        async with (
            httpcore.AsyncConnectionPool(
                ssl_context=self._tls,
                network_backend=backend,
                max_connections=1,
                max_keepalive_connections=0,
            ) as pool,
            pool.stream(
                "GET",
                httpcore.URL(
                    scheme=url.raw_scheme,
                    host=url.raw_host,
                    port=url.port,
                    target=url.raw_path,
                ),
                headers={
                    "Host": url.netloc,
                    "Accept": "image/*",
                    "Accept-Encoding": "identity",
                    "User-Agent": "mlx-server",
                    "Connection": "close",
                },
            ) as answer,
        ):
            backend.expect_body()
            yield answer

    def _redirected(self, image: RemoteImage, answer: httpcore.Response) -> RemoteImage:
        target = _header(answer, b"location")
        if not target:
            raise ImageFetchError(f"'{image.shown_host}' redirects to nowhere.")
        if len(target) > self._limits.image_link_chars:
            raise ImageFetchError(f"'{image.shown_host}' redirects to a long URL.")
        try:
            url = image.url.join(target)
        except (httpx.InvalidURL, ValueError):
            raise ImageFetchError(
                f"'{image.shown_host}' redirects to what is not a URL."
            ) from None
        return to_remote(url, limits=self._limits)

    async def _read(
        self, answer: httpcore.Response, image: RemoteImage, room: ByteRoom
    ) -> bytes:
        self._judge_head(answer, image)
        data = bytearray()
        pieces = 0
        async for piece in answer.aiter_stream():
            pieces += 1
            room.take(len(piece))
            data += piece
            if len(data) > self._limits.image_bytes:
                raise self._too_large()
            if pieces > _PIECES_FREE + len(data) // _BYTES_PER_PIECE:
                raise ImageFetchError(
                    f"'{image.shown_host}' sends it in too small pieces."
                )
            if pieces % _PIECES_PER_TURN == 0:
                await asyncio.sleep(0)  # Others first: many lie in one read.
        return bytes(data)

    def _judge_head(self, answer: httpcore.Response, image: RemoteImage) -> None:
        """Refuse what need not be read to be refused."""
        host = image.shown_host
        if answer.status != httpx.codes.OK:
            raise ImageFetchError(f"'{host}' answered with status {answer.status}.")
        if _header(answer, b"content-encoding").lower() not in {"", "identity"}:
            raise ImageFetchError(f"'{host}' sends it compressed, unasked.")
        kind = _header(answer, b"content-type").partition(";")[0].strip().lower()
        if kind and not kind.startswith("image/") and kind not in _OCTETS:
            raise ImageFetchError(f"'{host}' sends '{kind[:64]}', not an image.")
        length = _header(answer, b"content-length")
        if length.isdecimal() and int(length) > self._limits.image_bytes:
            raise self._too_large()

    def _too_large(self) -> ImageTooLargeError:
        return ImageTooLargeError(
            f"it has more than {self._limits.image_bytes:,} bytes."
        )


def _header(answer: httpcore.Response, name: bytes) -> str:
    """Return a header's value; empty where it is missing."""
    for key, value in answer.headers:
        if key.lower() == name:
            return value.decode("latin-1").strip()
    return ""
