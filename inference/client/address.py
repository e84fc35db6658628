"""Where a server is and which key it gets: owns how an address is read."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit


class AddressError(ValueError):
    """What was given is no address of a server; the message is one line."""


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """One OpenAI-compatible server; `base_url` ends where `/models` would follow.

    An empty `api_key` means that none is sent.
    """

    base_url: str
    api_key: str = field(default="", repr=False)

    @property
    def is_near(self) -> bool:
        """Whether it is on this machine; then no proxy lies between."""
        return is_loopback(self.base_url)


def read_base_url(text: str) -> str:
    """Return a base URL as clients need it; `localhost:8000` is enough.

    A URL without a path gets `/v1`, where nearly all servers answer.

    Raises:
        AddressError: nothing can be reached under it.
    """
    given = text.strip()
    if "://" not in given:
        given = f"http://{given}"
    try:
        parts = urlsplit(given)
        usable = parts.scheme in {"http", "https"} and parts.hostname
        _ = parts.port
    except ValueError:
        usable = None
    if not usable or any(map(str.isspace, given)):
        raise AddressError(f"{text!r} is no address such as http://127.0.0.1:8000/v1")
    path = parts.path.rstrip("/") or "/v1"
    return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))


def is_loopback(base_url: str) -> bool:
    """Whether a URL leads to this machine."""
    host = urlsplit(base_url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
