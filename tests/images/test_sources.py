"""What may stand in an image's URL."""

from __future__ import annotations

import base64
import random
from typing import Any

import pytest

from inference.core.errors import (
    ImageUrlNotAllowedError,
    InvalidImageError,
    InvalidRequestError,
)
from inference.images.hosts import HostList
from inference.images.sources import InlineImage, RemoteImage, to_remote, to_source
from tests.images.cast import data_url


def decoded(url: str) -> bytes:
    source = to_source(url)
    assert isinstance(source, InlineImage)
    return source.decoded()


@pytest.mark.parametrize("size", [1, 2, 3, 49_151, 49_152, 49_153, 2_000_000])
def test_it_reads_a_data_url_of_any_length(size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    assert decoded(data_url(data[:size])) == data[:size]


@pytest.mark.parametrize(
    "kind",
    [
        *("image/jpeg", "image/png", "image/webp", "image/gif", "image/jpg"),
        *("image/bmp", "image/avif", "image/heic", "image/heif"),
    ],
)
def test_it_takes_the_types_it_reads(kind: str) -> None:
    assert decoded(f"DATA:{kind.upper()};BASE64,QUJD") == b"ABC"


@pytest.mark.parametrize(
    "url",
    [
        "data:image/png;base64,",
        "data:image/png;base64",
        "data:image/png,QUJD",
        "data:image/svg+xml;base64,QUJD",
        "data:text/html;base64,QUJD",
        "data:application/octet-stream;base64,QUJD",
        "data:;base64,QUJD",
        "data:,QUJD",
        "data:image/png;base64,QUJDR",
        "data:image/png;base64,QU=D",
        "data:image/png;base64,QUI==",
        "data:image/png;base64,QUI=QUJD",
        "data:image/png;base64, \n",
        "data:image/png;base64,QU.D",
        "data:image/png;base64,ÄÖÜß",
        "data:image/png;base64,QU%4aD",
    ],
)
def test_it_refuses_a_data_url_that_is_not_an_image_in_base64(url: str) -> None:
    with pytest.raises(InvalidImageError):
        decoded(url)


@pytest.mark.parametrize("size", [1, 2, 3, 49_151, 49_152, 49_153, 200_001])
@pytest.mark.parametrize(
    "written",
    [
        pytest.param(lambda text: text.rstrip("="), id="without padding"),
        pytest.param(lambda text: text.replace("+", "-").replace("/", "_"), id="safe"),
        pytest.param(
            lambda text: "\r\n".join(
                text[at : at + 76] for at in range(0, len(text), 76)
            ),
            id="in lines",
        ),
        pytest.param(lambda text: f" {text[:2]} {text[2:]}\n", id="with spaces"),
    ],
)
def test_it_reads_base64_as_clients_write_it(size: int, written: Any) -> None:
    data = random.Random(size).randbytes(size)
    text = base64.b64encode(data).decode()
    for head in ("image/png;", "image/png;name=a b.png;charset=utf-8;", "IMAGE/PNG;"):
        assert decoded(f"data:{head}base64,{written(text)}") == data


def test_it_refuses_padding_where_the_pieces_of_a_long_url_meet() -> None:
    half = base64.b64encode(b"x" * 49_151).decode()
    assert len(half) == 1 << 16
    assert half.endswith("=")
    with pytest.raises(InvalidImageError):
        decoded(f"data:image/png;base64,{half}QUJD")


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("file:///etc/passwd", "'file:'"),
        ("FILE:/etc/passwd", "'file:'"),
        ("ftp://example.com/a.png", "'ftp:'"),
        ("blob:https://example.com/1", "'blob:'"),
        ("gopher://example.com/", "'gopher:'"),
        ("unix:/run/docker.sock", "'unix:'"),
        ("/etc/passwd", "paths"),
        ("picture.png", "paths"),
        ("//example.com/a.png", "paths"),
        (" http://example.com/a.png", "paths"),
        ("", "paths"),
    ],
)
def test_it_names_what_it_never_opens(url: str, named: str) -> None:
    with pytest.raises(ImageUrlNotAllowedError, match=named):
        to_source(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://user@example.com/",
        "http://user:secret@example.com/",
        "http://:secret@example.com/",
        "http://example.com\\@127.0.0.1/",
        "http://example.com:8080/",
        "https://example.com:22/",
        "http://example.com:6379/",
        "http://example.com:0/",
    ],
)
def test_it_refuses_credentials_and_odd_ports(url: str) -> None:
    with pytest.raises(ImageUrlNotAllowedError):
        to_source(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "http:///a.png",
        "http:a.png",
        "http://exa mple.com/",
        "http://example.com:99999/",
        "http://example.com:port/",
        "http://[::1/",
        "http://example.com/\x00",
        "http://example.com/\r\nHost: evil",
        "http://./",
        f"http://example.com/{'a' * 8192}",
        f"http://{'a' * 70_000}.com/",
    ],
)
def test_it_refuses_what_is_not_a_url(url: str) -> None:
    with pytest.raises(InvalidRequestError):
        to_source(url)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://Example.COM/a", "example.com"),
        ("https://example.com.:443/a", "example.com"),
        ("http://example.com:443/", "example.com"),
        ("https://bücher.example/", "xn--bcher-kva.example"),
        ("HTTPS://[2606:4700::1111]/a.png?x#y", "2606:4700::1111"),
    ],
)
def test_it_reads_the_host_of_a_url(url: str, host: str) -> None:
    source = to_source(url)
    assert isinstance(source, RemoteImage)
    assert source.host == host


def test_its_message_has_nothing_of_a_url_but_the_host() -> None:
    source = to_remote("https://example.com/a.png?signature=secret")
    assert source.shown_host == "example.com"


@pytest.mark.parametrize(
    ("host", "is_listed"),
    [
        ("example.com", True),
        ("cdn.example.org", True),
        ("a.b.example.org", True),
        ("example.org", False),
        ("evil-example.org", False),
        ("example.com.evil.net", False),
        ("www.example.com", False),
    ],
)
def test_a_list_of_hosts_means_names_and_what_is_below_a_star(
    host: str, is_listed: bool
) -> None:
    assert (host in HostList(["Example.com", "*.example.org"])) is is_listed


@pytest.mark.parametrize(
    "pattern", ["*", "*.", "http://example.com", "a.*.com", "", "a/b", "*example.com"]
)
def test_a_list_of_hosts_refuses_what_is_neither(pattern: str) -> None:
    with pytest.raises(ValueError, match="must be names"):
        HostList([pattern])
