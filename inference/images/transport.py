"""Connections for images: to addresses that were checked, and bounded in bytes.

The name is looked up once. What was checked is what is connected to, while the
Host header and TLS keep the name, so that a name server cannot change its mind
in between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpcore

from inference.core.errors import ImageFetchError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

    from inference.images.addresses import AddressPolicy

CONNECT_TIMEOUT_S = 5.0
ADDRESSES_TRIED = 3
# Of everything up to the body; a flood of `100 Continue` ends here.
HEAD_BYTES = 64 * 1024
# What is read at a time is parsed without a pause; small until the body.
_HEAD_READ_BYTES = 4 * 1024
_BODY_READ_BYTES = 64 * 1024


class CheckedBackend(httpcore.AsyncNetworkBackend):
    """Connects for one request, to where the policy allows."""

    def __init__(self, policy: AddressPolicy) -> None:
        self._policy = policy
        self._plain = httpcore.AnyIOBackend()
        self._meter = ReadMeter()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 -- httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address of `host` that answers.

        Raises:
            InvalidRequestError: the policy allows none.
            httpcore.NetworkError: none answers.
        """
        endpoints = await self._policy.endpoints(host, port)
        failure: Exception = httpcore.ConnectError("no address")
        for address, its_port in endpoints[:ADDRESSES_TRIED]:
            try:
                stream = await self._plain.connect_tcp(
                    address, its_port, timeout=CONNECT_TIMEOUT_S
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return MeteredStream(stream, self._meter)
        raise failure

    def expect_body(self) -> None:
        """Read in larger steps from now on: the head has arrived."""
        self._meter.is_in_body = True


class ReadMeter:
    """Counts what was read of one answer's head."""

    def __init__(self) -> None:
        self.head_bytes = 0
        self.is_in_body = False


class MeteredStream(httpcore.AsyncNetworkStream):
    """A connection that reads little until the body, and never long heads."""

    def __init__(self, stream: httpcore.AsyncNetworkStream, meter: ReadMeter) -> None:
        self._stream = stream
        self._meter = meter

    async def read(
        self,
        max_bytes: int,
        timeout: float | None = None,  # noqa: ASYNC109 -- httpcore's signature
    ) -> bytes:
        """Read what has arrived, up to `max_bytes`.

        Raises:
            ImageFetchError: the head is too long.
        """
        meter = self._meter
        step = _BODY_READ_BYTES if meter.is_in_body else _HEAD_READ_BYTES
        data = await self._stream.read(min(max_bytes, step), timeout)
        if not meter.is_in_body:
            meter.head_bytes += len(data)
            if meter.head_bytes > HEAD_BYTES:
                raise ImageFetchError("its server sent too much before the image.")
        return data

    async def write(
        self,
        buffer: bytes,
        timeout: float | None = None,  # noqa: ASYNC109 -- httpcore's signature
    ) -> None:
        """Send all of `buffer`."""
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        """Close the connection."""
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 -- httpcore's signature
    ) -> httpcore.AsyncNetworkStream:
        """Begin TLS; the certificate must be for `server_hostname`."""
        stream = await self._stream.start_tls(ssl_context, server_hostname, timeout)
        return MeteredStream(stream, self._meter)

    def get_extra_info(self, info: str) -> Any:
        """Return what the connection knows of itself."""
        return self._stream.get_extra_info(info)
