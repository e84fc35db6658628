"""Who may ask: the shared key, and whether a browser brings a stranger's page.

Works on header mappings with lower-case names, so that HTTP and WebSocket
handshakes are judged by the same rules.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.http.request import validate_host

from inference.core.errors import AuthenticationError, ForbiddenError
from inference.core.origins import NO_ORIGINS, SETTING, AllowedOrigins

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inference.core.events import KeyChecker


class SharedKey:
    """One key for everybody, from the configuration; an empty one opens the door.

    Keeps a digest only, and compares digests in constant time.
    """

    def __init__(self, key: str, *, name: str = "api_key") -> None:
        self._digest = _digest(key) if key else None
        self._name = name

    @property
    def required(self) -> bool:
        """Whether a key is needed at all."""
        return self._digest is not None

    def name_of(self, presented: str) -> str | None:
        """Return the key's name, or `None` where it is not known."""
        if self._digest is None:
            return None
        matches = hmac.compare_digest(_digest(presented), self._digest)
        return self._name if matches else None


def presented_key(headers: Mapping[str, str]) -> str:
    """Return the key a client sent as bearer token or `x-api-key`; "" for none."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return headers.get("x-api-key", "").strip()


def authorise(keys: KeyChecker, presented: str) -> str:
    """Return the name of the key that lets the client in; "" where none is needed.

    Raises:
        AuthenticationError: a key is needed and this is none.
    """
    name = keys.name_of(presented) if presented else None
    if name is not None or not keys.required:
        return name or ""
    if not presented:
        raise AuthenticationError(
            "You didn't provide an API key. Send it in an Authorization header "
            "using Bearer auth (Authorization: Bearer YOUR_KEY) or as x-api-key."
        )
    raise AuthenticationError("Incorrect API key provided.")


def caller_name(keys: KeyChecker, headers: Mapping[str, str]) -> str:
    """Return the name of the key in the headers; "" where none is needed.

    Raises:
        AuthenticationError: a key is needed and this is none.
    """
    presented = presented_key(headers)
    if keys.required and not presented and headers.get("authorization"):
        raise AuthenticationError(
            "Your Authorization header does not use Bearer auth. Write 'Bearer ' "
            "before the key (Authorization: Bearer YOUR_KEY), or send it as x-api-key."
        )
    return authorise(keys, presented)


class Readers:
    """Implements `CallerCheck` for what is read beside `/v1`.

    Holders of a key may read. Without one: programs on this machine, where no key
    is required, or always with `lets_local_in`.
    """

    def __init__(
        self,
        keys: KeyChecker,
        *,
        allowed_hosts: Sequence[str],
        origins: AllowedOrigins = NO_ORIGINS,
        lets_local_in: bool = False,
    ) -> None:
        self._keys = keys
        self._allowed_hosts = allowed_hosts
        self._origins = origins
        self._lets_local_in = lets_local_in

    def admit(self, headers: Mapping[str, str], *, client_host: str) -> str:
        """Return the key's name, or "" where none is needed; refuse by raising."""
        refuse_foreign(
            headers, allowed_hosts=self._allowed_hosts, origins=self._origins
        )
        local = is_local(headers, client_host=client_host)
        if not self._keys.required and not local:
            raise ForbiddenError(
                "Without an API key only programs on the server's own machine may "
                "read this; start it with MLX_API_KEY to read from elsewhere."
            )
        if local and self._lets_local_in and not presented_key(headers):
            return ""
        return caller_name(self._keys, headers)


_FORWARDING = ("forwarded", "x-forwarded-for", "x-real-ip")


def is_local(headers: Mapping[str, str], *, client_host: str) -> bool:
    """Whether a program on this machine asks, for nobody else.

    A proxy on this machine asks for others, and says so in a header.
    """
    if any(name in headers for name in _FORWARDING):
        return False
    try:
        address = ipaddress.ip_address(client_host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def refuse_foreign(
    headers: Mapping[str, str],
    *,
    allowed_hosts: Sequence[str],
    origins: AllowedOrigins = NO_ORIGINS,
) -> None:
    """Refuse what a browser sends on behalf of another site's page.

    Raises:
        ForbiddenError: it is one.
    """
    if is_foreign(headers, allowed_hosts=allowed_hosts, origins=origins):
        raise foreign_error(headers.get("origin", ""))


def foreign_error(origin: str) -> ForbiddenError:
    """Return the refusal of a page of another site, which says who may allow it."""
    who = f" Who runs this server can add {origin[:200]!r} to {SETTING}."
    return ForbiddenError(
        "Requests from pages of other sites are not allowed."
        + (who if origin not in ("", "null") else ""),
        code="cross_site_request",
    )


def is_foreign(
    headers: Mapping[str, str],
    *,
    allowed_hosts: Sequence[str],
    origins: AllowedOrigins = NO_ORIGINS,
) -> bool:
    """Whether a browser sent this on behalf of another site's page.

    Programs send neither `Origin` nor `Sec-Fetch-Site` and pass. An origin
    passes if it is the server's own, its host is an allowed one by name, or the
    operator's list has it.
    """
    origin = headers.get("origin", "")
    if not origin:
        return headers.get("sec-fetch-site", "") == "cross-site"
    if origin in origins:
        return False
    try:
        parts = urlsplit(origin.lower())
        hostname = parts.hostname or ""
    except ValueError:
        return True
    if not hostname:
        return True
    if parts.netloc == headers.get("host", "").lower():
        return False
    named = [host for host in allowed_hosts if host != "*"]
    return not validate_host(f"[{hostname}]" if ":" in hostname else hostname, named)


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
