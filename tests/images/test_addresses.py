"""Which addresses are public, and which only look it."""

from __future__ import annotations

import asyncio
import socket
import threading

import pytest

from inference.core.errors import (
    ImageFetchError,
    ImageUrlNotAllowedError,
    InvalidRequestError,
)
from inference.images.addresses import AddressPolicy, is_near, is_public, look_up

PRIVATE = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:2::1",
    "2001:10::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "2606:4700::1111%eth0",
    "fec0::1",
    "ff02::1",
    "",
    "localhost",
    "2130706433",
]
PUBLIC = ["8.8.8.8", "93.184.215.14", "::ffff:8.8.8.8", "2606:4700::1111", "2a00::1"]


@pytest.mark.parametrize("address", PRIVATE)
def test_it_refuses_every_private_form(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_it_allows_the_public_internet(address: str) -> None:
    assert is_public(address)


def test_it_knows_this_machine_by_its_own_address() -> None:
    assert is_near("127.0.0.1")
    assert not is_near("8.8.8.8")


def test_it_knows_the_neighbours_of_its_ipv6_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(socket, "socket", OwnAddress)
    assert is_near("2a02:8070:1234:5600::1")
    assert not is_near("2a02:8070:1234:5601::1")


class OwnAddress:
    """A socket of a machine in a home's network."""

    def __init__(self, *_: object) -> None: ...

    def __enter__(self) -> OwnAddress:
        return self

    def __exit__(self, *_: object) -> None: ...

    def connect(self, address: tuple[str, int]) -> None: ...

    def getsockname(self) -> tuple[str, int, int, int]:
        return ("2a02:8070:1234:5600:abcd::99", 5353, 0, 0)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "::1",
        "2130706433",
        "0x7f.1",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "0",
        "169.254.169.254",
        "10.1.2.3",
        "0.0.0.0",
        "100.64.0.1",
        "fd00::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "192.0.2.1",
    ],
)
async def test_the_systems_own_resolver_leads_nowhere_private(host: str) -> None:
    policy = AddressPolicy()
    with pytest.raises(InvalidRequestError) as refused:
        await policy.endpoints(host, 80)
    policy.close()
    assert refused.value.code in {"image_url_not_allowed", "image_fetch_failed"}
    if "." in host and ":" not in host:
        assert isinstance(refused.value, ImageUrlNotAllowedError)
        assert "public" in refused.value.message


async def test_one_private_address_among_public_ones_refuses_a_name() -> None:
    answers = {
        "mixed.test": ["93.184.215.14", "10.0.0.1"],
        "good.test": ["93.184.215.14", "2606:4700::1111", "93.184.215.14"],
        "empty.test": [],
    }
    policy = AddressPolicy(resolve=lambda host, _: answers[host])
    with pytest.raises(ImageUrlNotAllowedError) as refused:
        await policy.endpoints("mixed.test", 443)
    assert "10.0.0.1" not in refused.value.message
    assert await policy.endpoints("good.test", 443) == [
        ("93.184.215.14", 443),
        ("2606:4700::1111", 443),
    ]
    with pytest.raises(ImageUrlNotAllowedError):
        await policy.endpoints("empty.test", 443)
    policy.close()


@pytest.mark.parametrize("host", ["no-such-name.invalid", "a..b", "a" * 64, "\0"])
async def test_a_name_without_an_address_is_not_found(host: str) -> None:
    policy = AddressPolicy(resolve=_offline)
    with pytest.raises(ImageFetchError, match="not found"):
        await policy.endpoints(host, 80)
    policy.close()


def _offline(host: str, port: int) -> list[str]:
    if host.endswith(".invalid"):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return list(look_up(host, port))


async def test_slow_name_servers_hold_up_nobody_elses_threads() -> None:
    answer = threading.Event()
    policy = AddressPolicy(resolve=lambda *_: ["8.8.8.8"] if answer.wait(30) else [])
    waiting = [
        asyncio.create_task(policy.endpoints("slow.test", 80)) for _ in range(64)
    ]
    await asyncio.sleep(0)

    async with asyncio.timeout(20):
        assert await asyncio.to_thread(lambda: "free") == "free"

    assert not any(task.done() for task in waiting)
    answer.set()
    assert await asyncio.gather(*waiting) == [[("8.8.8.8", 80)]] * 64
    policy.close()
