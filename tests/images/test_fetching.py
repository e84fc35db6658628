"""Images from http(s) URLs: what is fetched, and where nobody is sent."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from tests.images.cast import (
    NAME,
    PUBLIC,
    RoutedPolicy,
    Site,
    asked,
    loader,
    picture,
    redirecting,
    refusal,
    serving,
    site,
)

if TYPE_CHECKING:
    import asyncio

URL = f"http://{NAME}/a.png"
PNG = picture()


async def test_it_fetches_an_image_by_its_name() -> None:
    async with site(serving(PNG, "Content-Type: image/png")) as it:
        policy = RoutedPolicy(it.port)
        loaded = await loader(policy).load(asked(f"{URL}?size=big#part"))

    (image,) = loaded.images
    assert (image.data, image.width, image.height) == (PNG, 8, 6)
    assert loaded.fetch_s > 0
    head = it.heads[0].lower()
    assert head.startswith("get /a.png?size=big http/1.1\r\n")
    assert f"\r\nhost: {NAME}\r\n" in head
    assert "\r\naccept-encoding: identity\r\n" in head
    assert "cookie" not in head
    assert "authorization" not in head
    assert policy.looked_up == [NAME]


async def test_it_asks_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")

    async with site(serving(PNG)) as it:
        loaded = await loader(RoutedPolicy(it.port)).load(asked(URL))

    assert loaded.images[0].data == PNG
    assert it.heads[0].startswith("GET /a.png ")


async def test_it_reads_a_chunked_answer_and_goes_by_the_bytes_not_the_type() -> None:
    async def handle(site: Site, _path: str, writer: asyncio.StreamWriter) -> None:
        head = "Content-Type: application/octet-stream\r\nTransfer-Encoding: chunked"
        await site.send(writer, f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode())
        for byte in PNG:
            await site.send(writer, b"1\r\n" + bytes([byte]) + b"\r\n")
        await site.send(writer, b"0\r\n\r\n")

    async with site(handle) as it:
        loaded = await loader(RoutedPolicy(it.port)).load(asked(URL))

    assert loaded.images[0].data == PNG


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_it_follows_three_redirects_and_checks_each(status: int) -> None:
    async def handle(site: Site, path: str, writer: asyncio.StreamWriter) -> None:
        step = int(path.strip("/"))
        target = f"/{step + 1}" if step % 2 else f"http://other.test/{step + 1}"
        answer = serving(PNG) if step == 3 else redirecting(target, status)
        await answer(site, path, writer)

    async with site(handle) as it:
        policy = RoutedPolicy(it.port)
        loaded = await loader(policy).load(asked(f"http://{NAME}/0"))

    assert loaded.images[0].data == PNG
    assert policy.looked_up == [NAME, *["other.test"] * 3]


async def test_it_follows_no_fourth_redirect() -> None:
    async with site(redirecting("/again")) as it:
        error = await refusal(loader(RoutedPolicy(it.port)), URL)

    assert (error.code, error.http_status) == ("image_fetch_failed", 400)
    assert "more than 3 times" in error.message
    assert len(it.heads) == 4


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1/",
        "http://localhost/",
        "http://[::1]/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://0177.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/",
        "http://0.0.0.0/",
        "http://100.64.0.1/",
        "http://[fd00::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://192.0.2.1/",
        "//127.0.0.1/",
        "file:///etc/passwd",
        "ftp://example.com/",
        "gopher://127.0.0.1:6379/_FLUSHALL",
        "data:image/png;base64,QUJD",
        "http://user:pass@example.com/",
        "http://example.com:8080/",
        "http://example.com:22/",
    ],
)
async def test_a_redirect_leads_nowhere_that_a_url_may_not(target: str) -> None:
    def resolve(host: str, port: int) -> list[str]:
        return [PUBLIC] if host == NAME else real(host, port)

    async with site(redirecting(target)) as it:
        error = await refusal(loader(RoutedPolicy(it.port, resolve)), URL)

    assert error.code in {"image_url_not_allowed", "image_fetch_failed"}
    assert error.param == "messages[1].content[1]"
    assert len(it.heads) == 1


def real(host: str, port: int) -> list[str]:
    from inference.images.addresses import look_up

    return list(look_up(host, port))


@pytest.mark.parametrize("target", ["", "http://[::1/", f"/{'a' * 9000}"])
async def test_a_redirect_to_nowhere_is_refused(target: str) -> None:
    async with site(redirecting(target)) as it:
        error = await refusal(loader(RoutedPolicy(it.port)), URL)

    assert error.code in {"image_fetch_failed", "invalid_image"}
    assert len(it.heads) == 1


async def test_a_name_server_that_changes_its_answer_gains_nothing() -> None:
    answers = [[PUBLIC], ["127.0.0.1"], [PUBLIC]]
    async with site(redirecting("/inside")) as it:
        policy = RoutedPolicy(it.port, lambda *_: answers.pop(0))
        error = await refusal(loader(policy), URL)

    assert error.code == "image_url_not_allowed"
    # Asked once for each connection, and only what was judged is connected to.
    assert policy.looked_up == [NAME, NAME]
    assert policy.given == [PUBLIC]
    assert len(it.heads) == 1


async def test_only_listed_hosts_are_asked_where_there_is_a_list() -> None:
    hosts = ["cdn.test", "*.good.test"]
    async with site(serving(PNG)) as it:
        for url in ("http://cdn.test/", "http://a.good.test/", "http://A.Good.TEST./"):
            loads = loader(RoutedPolicy(it.port), hosts=hosts)
            assert (await loads.load(asked(url))).images
        for url in ("http://good.test/", "http://evil.test/", "http://8.8.8.8/"):
            policy = RoutedPolicy(it.port)
            error = await refusal(loader(policy, hosts=hosts), url)
            assert error.code == "image_url_not_allowed"
            assert "IMAGE_HOSTS" in error.message
            assert policy.looked_up == []

    assert len(it.heads) == 3


async def test_a_listed_host_may_neither_redirect_elsewhere_nor_be_private() -> None:
    async with site(redirecting("http://evil.test/")) as it:
        loads = loader(RoutedPolicy(it.port), hosts=["cdn.test"])
        error = await refusal(loads, "http://cdn.test/")
        assert "IMAGE_HOSTS" in error.message

        inside = RoutedPolicy(it.port, lambda *_: ["192.168.1.2"])
        error = await refusal(loader(inside, hosts=["nas.test"]), "http://nas.test/")
        assert "public" in error.message

    assert len(it.heads) == 1


@pytest.mark.parametrize(
    ("headers", "status", "words"),
    [
        (["Content-Type: text/html"], "200 OK", "text/html"),
        (["Content-Type: application/json; charset=utf-8"], "200 OK", "json"),
        (["Content-Encoding: gzip"], "200 OK", "compressed"),
        (["content-encoding: br"], "200 OK", "compressed"),
        ([], "404 Not Found", "404"),
        ([], "206 Partial Content", "206"),
        ([], "500 Oops", "500"),
        ([], "304 Not Modified", "304"),
    ],
)
async def test_it_says_what_is_wrong_with_an_answer(
    headers: list[str], status: str, words: str
) -> None:
    data = gzip.compress(PNG) if "Encoding" in str(headers) else PNG
    async with site(serving(data, *headers, status=status)) as it:
        error = await refusal(loader(RoutedPolicy(it.port)), URL)

    assert (error.code, error.http_status) == ("image_fetch_failed", 400)
    assert error.message.startswith("Invalid 'messages[1].content[1]': ")
    assert words in error.message


async def test_an_answer_that_is_no_image_is_refused_by_its_bytes() -> None:
    async with site(serving(b"<html>", "Content-Type: image/png")) as it:
        error = await refusal(loader(RoutedPolicy(it.port)), URL)

    assert error.code == "invalid_image"
