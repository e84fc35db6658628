"""Which addresses an image may be fetched from: public ones, looked up once."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from inference.core.errors import ImageFetchError, ImageUrlNotAllowedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# A name server that hangs holds a thread for up to half a minute.
LOOKUPS_AT_ONCE = 8

_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
_REFUSED = tuple(
    ipaddress.ip_network(network)
    for network in (
        "192.0.0.0/24",  # protocol assignments; a cloud's metadata service
        "192.88.99.0/24",  # relays into 6to4
        "168.63.129.16/32",  # public by number, but a cloud's own host
        "2001::/23",  # Teredo, benchmarks, ORCHID
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: an IPv4 address within
        "3fff::/20",  # documentation
    )
)


def is_public(text: str) -> bool:
    """Whether an address is one of the public internet.

    What carries an IPv4 address within (mapped, 6to4, Teredo, NAT64) is judged
    by that address or refused; so is what has a scope.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            return False
        if address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        elif address not in _GLOBAL_UNICAST:
            return False
    return (
        address.is_global
        and not address.is_multicast
        and not any(address in network for network in _REFUSED)
    )


def is_near(text: str) -> bool:
    """Whether a public address is this machine's own, or of its own IPv6 network.

    Every device of a home has a public IPv6 address, behind its firewall. No
    packet is sent: the system is asked which way it would go.
    """
    address = ipaddress.ip_address(text)
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((text, 443))
        except OSError:
            return False  # No way there: nothing will connect either.
        own = ipaddress.ip_address(probe.getsockname()[0].partition("%")[0])
    if address.version == 4:
        return own == address
    return int(own) >> 64 == int(address) >> 64


def is_allowed(text: str) -> bool:
    """Whether an image may be fetched from an address."""
    return is_public(text) and not is_near(text)


def look_up(host: str, port: int) -> Sequence[str]:
    """Return all addresses of a name, as the system's resolver gives them."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class AddressPolicy:
    """Decides where a connection to a name may go, and owns the look-ups.

    No setting changes it; a test hands in another one.
    """

    def __init__(
        self,
        *,
        resolve: Callable[[str, int], Sequence[str]] = look_up,
        allows: Callable[[str], bool] = is_allowed,
    ) -> None:
        self._resolve = resolve
        self._allows = allows
        # Not the loop's own threads: a slow name server must hold up nobody else.
        self._threads = ThreadPoolExecutor(
            LOOKUPS_AT_ONCE, thread_name_prefix="image-names"
        )

    async def endpoints(self, host: str, port: int) -> Sequence[tuple[str, int]]:
        """Return the addresses and ports to connect to, the preferred one first.

        Raises:
            ImageFetchError: the name has no address.
            ImageUrlNotAllowedError: not every address of it is allowed.
        """
        loop = asyncio.get_running_loop()
        try:
            addresses = await loop.run_in_executor(
                self._threads, self._allowed_addresses, host, port
            )
        except (OSError, ValueError):
            raise ImageFetchError(f"the host '{host[:64]}' was not found.") from None
        if not addresses:
            # Not which address: a stranger need not learn who lives here.
            raise ImageUrlNotAllowedError(
                f"the host '{host[:64]}' is not on the public internet."
            )
        return [(address, port) for address in addresses]

    def close(self) -> None:
        """Wait for no look-up."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _allowed_addresses(self, host: str, port: int) -> Sequence[str]:
        """Return all addresses, or none where one of them is not allowed."""
        addresses = list(dict.fromkeys(self._resolve(host, port)))
        return addresses if all(map(self._allows, addresses)) else ()
