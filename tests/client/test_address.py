"""How an address is read, and which key goes where."""

from __future__ import annotations

import pytest

from inference.client.address import AddressError, ServerAddress, read_base_url
from inference.management.server_options import server_address


@pytest.mark.parametrize(
    ("text", "base_url"),
    [
        ("http://127.0.0.1:8000/v1/", "http://127.0.0.1:8000/v1"),
        ("localhost:8000", "http://localhost:8000/v1"),
        ("https://example.com", "https://example.com/v1"),
        ("https://example.com/proxy/openai", "https://example.com/proxy/openai"),
        ("[::1]:8000", "http://[::1]:8000/v1"),
    ],
)
def test_an_address_may_be_short(text: str, base_url: str) -> None:
    assert read_base_url(text) == base_url


@pytest.mark.parametrize("text", ["", "ftp://x", "http://", "http://x:port", "a b"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(AddressError, match="is no address such as"):
        read_base_url(text)


@pytest.mark.parametrize(
    ("text", "is_near"),
    [("localhost", True), ("127.0.0.5", True), ("[::1]", True), ("10.0.0.1", False)],
)
def test_this_machine_is_near(text: str, is_near: bool) -> None:
    assert ServerAddress(read_base_url(text)).is_near is is_near


@pytest.mark.parametrize(
    ("base_url", "environment", "key"),
    [
        # Its own server gets its own key, whatever else is in the environment.
        (None, {}, "own"),
        (None, {"OPENAI_API_KEY": "general"}, "own"),
        # Another one of this machine may share it.
        ("http://127.0.0.1:9/v1", {}, "own"),
        ("http://127.0.0.1:9/v1", {"OPENAI_API_KEY": "general"}, "general"),
        # A stranger never gets it.
        ("https://example.com/v1", {}, ""),
        ("https://example.com/v1", {"OPENAI_API_KEY": "general"}, "general"),
    ],
)
def test_the_servers_own_key_never_goes_to_strangers(
    settings, base_url: str | None, environment: dict[str, str], key: str
) -> None:
    settings.MLX_API_KEY = "own"
    options = {"base_url": base_url, "api_key": None}
    assert server_address(options, environment).api_key == key


def test_an_address_does_not_show_its_key() -> None:
    assert "s3cret" not in repr(ServerAddress("http://x/v1", "s3cret"))


def test_a_wrong_address_in_the_environment_is_named() -> None:
    options = {"base_url": None, "api_key": None}
    with pytest.raises(AddressError, match=r"^OPENAI_BASE_URL: 'ftp://x' is no"):
        server_address(options, {"OPENAI_BASE_URL": "ftp://x"})
