"""Where an image comes from: its URL taken apart, nothing opened, nothing fetched.

Only data URLs and http(s) URLs are sources. A path or a `file:` URL is refused
here, and nothing in this room opens a file.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from inference.core.errors import ImageUrlNotAllowedError, InvalidImageError
from inference.core.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from collections.abc import Iterator

MEDIA_TYPES = (
    *("image/jpeg", "image/png", "image/webp", "image/gif"),
    *("image/bmp", "image/avif", "image/heic", "image/heif"),
)
_ALIASES = {"image/jpg": "image/jpeg"}
_PORTS = {None, 80, 443}
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]{0,31}):", re.IGNORECASE)
_HOST = re.compile(r"[a-z0-9_.-]+|[0-9a-f:.]+")  # a name, or an IPv6 address
_DATA_URL = re.compile(r"data:([a-z0-9/+.-]{1,64})(?:;[^,;]{0,256}){0,4};base64,", re.I)
# Long enough for any scheme and media type; the rest of a data URL is its bytes.
_HEAD_CHARS = 2048
_SPACES = b" \t\r\n"
_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
# Decoding holds the interpreter's lock; this much takes a quarter of a millisecond.
_STRIDE_CHARS = 1 << 16
_SHOWN_CHARS = 64


@dataclass(frozen=True, slots=True)
class InlineImage:
    """A data URL; its base64 text begins at `start`."""

    url: str
    start: int

    @property
    def size_bytes(self) -> int:
        """How many bytes it decodes to, give or take its padding."""
        return (len(self.url) - self.start) * 3 // 4

    def decoded(self) -> bytes:
        """Return its bytes.

        Either alphabet, padded or not, in lines or not. To be called in a thread.

        Raises:
            InvalidImageError: it is not base64, or empty.
        """
        try:
            pieces = [
                binascii.a2b_base64(quartets, strict_mode=True)
                for quartets in self._quartets()
            ]
        except ValueError:
            raise InvalidImageError("its data is not base64.") from None
        if not any(pieces):
            raise InvalidImageError("its data URL is empty.")
        return b"".join(pieces)

    def _quartets(self) -> Iterator[bytes]:
        """Yield its text bit by bit: in the standard alphabet, padded, by fours.

        Raises:
            ValueError: it has padding before its end, or what is not ASCII.
        """
        rest = b""
        for start in range(self.start, len(self.url), _STRIDE_CHARS):
            piece = self.url[start : start + _STRIDE_CHARS].encode("ascii")
            text = rest + piece.translate(_TO_STANDARD, _SPACES)
            # Only what is last may be padded, and what is last shows at the end.
            end = max(0, len(text) - 1) // 4 * 4
            rest = text[end:]
            if text.endswith(b"=", 0, end):
                raise binascii.Error("padding before the end")
            yield text[:end]
        yield rest + b"=" * (-len(rest) % 4)


@dataclass(frozen=True, slots=True)
class RemoteImage:
    """An http(s) URL that a request may name; where it leads is not known yet."""

    url: httpx.URL

    @property
    def host(self) -> str:
        """The host's name in ASCII, lower case, without a final dot."""
        return self.url.raw_host.decode("ascii").lower().rstrip(".")

    @property
    def shown_host(self) -> str:
        """The host's name for a message: short, and without the rest of the URL."""
        return self.host[:_SHOWN_CHARS]


def to_source(
    url: str, *, limits: Limits = DEFAULT_LIMITS
) -> InlineImage | RemoteImage:
    """Take an image's URL apart.

    Raises:
        InvalidImageError: a data URL of another kind, or no URL at all.
        ImageUrlNotAllowedError: another scheme, port, or credentials.
    """
    head = url[:_HEAD_CHARS]
    found = _SCHEME.match(head)
    scheme = found[1].lower() if found else ""
    if scheme == "data":
        return _to_inline(url, head)
    if scheme in {"http", "https"}:
        return to_remote(url, limits=limits)
    what = f"'{scheme}:' URLs" if scheme else "paths and other text"
    raise ImageUrlNotAllowedError(
        f"{what} are not read. Send a data URL, an http URL or an https URL."
    )


def to_remote(url: str | httpx.URL, *, limits: Limits = DEFAULT_LIMITS) -> RemoteImage:
    """Check the words of an http(s) URL, of the request or of a redirect.

    Raises:
        InvalidImageError: it is not a URL, or too long.
        ImageUrlNotAllowedError: another scheme, port, or credentials.
    """
    if len(str(url)) > limits.image_link_chars:
        raise InvalidImageError(
            f"its URL has more than {limits.image_link_chars} characters."
        )
    try:
        parsed = httpx.URL(url)
        port = parsed.port
    except (httpx.InvalidURL, ValueError):
        raise InvalidImageError("its URL cannot be read.") from None
    if parsed.scheme not in {"http", "https"}:
        raise ImageUrlNotAllowedError(f"'{parsed.scheme[:32]}:' URLs are not fetched.")
    if parsed.userinfo:
        raise ImageUrlNotAllowedError("URLs with a user or password are not fetched.")
    if port not in _PORTS:
        raise ImageUrlNotAllowedError("only ports 80 and 443 are fetched from.")
    remote = RemoteImage(parsed)
    if not _HOST.fullmatch(remote.host):
        raise InvalidImageError("its URL names no host.")
    return remote


def _to_inline(url: str, head: str) -> InlineImage:
    found = _DATA_URL.match(head)
    if found is None:
        raise InvalidImageError(
            "its data URL must begin like 'data:image/png;base64,'."
        )
    kind = found[1].lower()
    if _ALIASES.get(kind, kind) not in MEDIA_TYPES:
        raise InvalidImageError(
            f"images of type '{kind}' are not read. Supported types are: "
            f"{', '.join(MEDIA_TYPES)}."
        )
    return InlineImage(url, found.end())
