"""A proxy's word about who asks counts where its operator said so."""

from __future__ import annotations

import pytest

from mlxsite.server.proxies import TrustedProxies
from tests.mlxsite.commands import mlx_server, only_line


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", ["203.0.113.7"], "192.0.2.1"),  # a stranger's word
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", ["203.0.113.7"], "203.0.113.7"),
        ("127.0.0.1", ["9.9.9.9, 203.0.113.7"], "203.0.113.7"),
        ("127.0.0.1", ["9.9.9.9", "203.0.113.7"], "203.0.113.7"),
        ("127.0.0.1", ["203.0.113.7, 10.1.2.3"], "203.0.113.7"),
        ("127.0.0.1", ["10.9.9.9, 10.1.2.3"], "10.9.9.9"),
        ("127.0.0.1", ["203.0.113.7:4711"], "203.0.113.7"),
        ("127.0.0.1", ["[2001:db8::7]:4711"], "2001:db8::7"),
        ("127.0.0.1", ["203.0.113.7, \x1b[2Knobody"], "127.0.0.1"),
        ("127.0.0.1", ["203.0.113.7,"], "127.0.0.1"),
        ("::ffff:10.0.0.1", ["203.0.113.7"], "203.0.113.7"),
        ("no address", ["203.0.113.7"], "no address"),
    ],
)
def test_the_client_is_the_last_whom_no_proxy_of_ours_is(
    peer: str, forwarded: list[str], client: str
) -> None:
    proxies = TrustedProxies(["127.0.0.1", "10.0.0.0/8"])

    assert proxies.client_of(peer, forwarded) == client


def test_nobody_is_believed_unless_named() -> None:
    assert TrustedProxies().client_of("127.0.0.1", ["203.0.113.7"]) == "127.0.0.1"


def test_it_refuses_a_proxy_that_is_no_address() -> None:
    line = only_line(mlx_server("launch", TRUSTED_PROXIES="127.0.0.1,proxy.local"))

    assert line == (
        "error: TRUSTED_PROXIES must be addresses or networks such as 10.0.0.0/8, "
        "not 'proxy.local'."
    )
