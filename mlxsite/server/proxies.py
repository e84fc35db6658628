"""Whose word counts about who asks: proxies that an operator named, nobody else."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    Address = ipaddress.IPv4Address | ipaddress.IPv6Address
    Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# As proxies write them: `192.0.2.1:4711`, `[2001:db8::1]:4711`.
_WITH_PORT = re.compile(r"(\d+(?:\.\d+){3}):\d+|\[([^\]]+)\](?::\d+)?")


class TrustedProxies:
    """Addresses and networks whose `X-Forwarded-For` is believed."""

    def __init__(self, networks: Iterable[str] = ()) -> None:
        """Read addresses and networks such as `10.0.0.0/8`.

        Raises:
            ValueError: one of them is neither.
        """
        self._networks = tuple(map(_network, networks))

    def trusts(self, host: str) -> bool:
        """Whether `host` is one of them."""
        address = _address(host) if self._networks else None
        return address is not None and any(address in net for net in self._networks)

    def client_of(self, peer: str, forwarded: Iterable[str]) -> str:
        """Return who asks, by the connection's other end and the headers' values.

        Every proxy adds at the end whom it heard: the last that is none of ours is
        the client. What stands before that anybody may have written.
        """
        client = peer
        hops = [hop for value in forwarded for hop in value.split(",")]
        for hop in reversed(hops):
            if not self.trusts(client):
                break
            address = _address(hop)
            if address is None:
                break
            client = str(address)
        return client


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(
            f"must be addresses or networks such as 10.0.0.0/8, not {text!r}"
        ) from None


def _address(text: str) -> Address | None:
    found = _WITH_PORT.fullmatch(text.strip())
    try:
        address = ipaddress.ip_address(
            (found[1] or found[2]) if found else text.strip()
        )
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
