"""All images of a request: in order, bounded, and named when they are refused."""

from __future__ import annotations

import binascii
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest

from inference.core.errors import InvalidRequestError
from inference.core.limits import Limits
from inference.core.requests import ChatMessage, ImagePart, TextPart
from inference.images.loader import ImageLoader
from inference.images.parts import image_parts
from tests.images.cast import (
    RoutedPolicy,
    asked,
    data_url,
    loader,
    picture,
    png_bomb,
    refusal,
    serving,
    site,
)


async def test_it_keeps_images_in_their_order_and_turns() -> None:
    files = [picture(size=(8, height)) for height in (1, 2, 3)]
    first, second, third = map(data_url, files)
    conversation = (
        ChatMessage("user", (ImagePart(first, "low"), TextPart("this?"))),
        ChatMessage("assistant", (TextPart("red"),)),
        ChatMessage(
            "user", (TextPart("and"), ImagePart(second, "high"), ImagePart(third))
        ),
    )

    loaded = await ImageLoader().load(conversation)

    assert [image.data for image in loaded.images] == files
    assert [image.height for image in loaded.images] == [1, 2, 3]
    assert [image.detail for image in loaded.images] == ["low", "high", "auto"]
    assert loaded.messages == (
        ChatMessage("user", (ImagePart("", "low"), TextPart("this?"))),
        ChatMessage("assistant", (TextPart("red"),)),
        ChatMessage("user", (TextPart("and"), ImagePart("", "high"), ImagePart(""))),
    )
    assert [path for path, _ in image_parts(loaded.messages)] == [
        "messages[0].content[0]",
        "messages[2].content[1]",
        "messages[2].content[2]",
    ]


async def test_it_leaves_a_conversation_without_images_alone() -> None:
    conversation = (ChatMessage("user", (TextPart("Hi"),)),)
    loaded = await ImageLoader().load(conversation)
    assert loaded.messages is conversation
    assert (loaded.images, loaded.fetch_s) == ((), 0.0)


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("file:///etc/passwd", "image_url_not_allowed"),
        ("/etc/passwd", "image_url_not_allowed"),
        ("ftp://example.com/a.png", "image_url_not_allowed"),
        ("data:image/png;base64,????", "invalid_image"),
        ("data:image/png;base64,QUJD", "invalid_image"),
        (data_url(png_bomb(13_000, 13_000)), "image_too_large"),
        ("http://127.0.0.1/", "image_url_not_allowed"),
        ("http://localhost/", "image_url_not_allowed"),
        ("http://[::1]/", "image_url_not_allowed"),
        ("http://2130706433/", "image_url_not_allowed"),
        ("http://0x7f.1/", "image_url_not_allowed"),
        ("http://0177.0.0.1/", "invalid_image"),
        ("http://169.254.169.254/latest", "image_url_not_allowed"),
        ("http://10.0.0.1/", "image_url_not_allowed"),
        ("http://[::ffff:127.0.0.1]/", "image_url_not_allowed"),
        ("http://0.0.0.0/", "image_url_not_allowed"),
        ("http://100.64.0.1/", "image_url_not_allowed"),
        ("http://[fd00::1]/", "image_url_not_allowed"),
        ("http://[64:ff9b::7f00:1]/", "image_url_not_allowed"),
        ("http://192.0.2.1/", "image_url_not_allowed"),
        ("https://user:pw@example.com/", "image_url_not_allowed"),
        ("http://example.com:8000/", "image_url_not_allowed"),
    ],
)
async def test_it_names_the_part_that_is_refused(url: str, code: str) -> None:
    """The policy is a server's own; no test stands in for it."""
    error = await refusal(loader(), data_url(picture()), url)
    assert (error.code, error.http_status) == (code, 400)
    assert error.param == "messages[1].content[2]"
    assert error.message.startswith("Invalid 'messages[1].content[2]': ")
    assert "/etc/passwd" not in error.message


async def test_a_server_that_fetches_nothing_says_which_setting_would() -> None:
    error = await refusal(ImageLoader(), "https://example.com/a.png")
    assert error.code == "image_url_not_allowed"
    assert "IMAGE_URLS" in error.message
    assert "IMAGE_HOSTS" in error.message


async def test_all_urls_are_judged_before_one_is_fetched() -> None:
    async with site(serving(picture())) as it:
        loads = loader(RoutedPolicy(it.port))
        error = await refusal(loads, "http://img.test/", "ftp://img.test/")
    assert error.param == "messages[1].content[2]"
    assert it.heads == []


async def test_it_names_the_first_image_that_is_too_much() -> None:
    loads = loader(limits=Limits(images=2))
    error = await refusal(loads, *[data_url(picture())] * 4)
    assert (error.code, error.http_status) == ("too_many_images", 400)
    assert error.param == "messages[1].content[3]"
    assert "4 images" in error.message


async def test_all_images_together_are_bounded_whichever_way_they_come() -> None:
    data = picture("JPEG", (64, 64))
    bounds = Limits(images_bytes=len(data) * 5 // 2)
    error = await refusal(loader(limits=bounds), *[data_url(data, "image/jpeg")] * 3)
    assert error.code == "image_too_large"
    assert "together" in error.message
    async with site(serving(data)) as it:
        loads = loader(RoutedPolicy(it.port), limits=bounds)
        assert len((await loads.load(asked(*["http://img.test/"] * 2))).images) == 2
        error = await refusal(loads, *["http://img.test/"] * 3)
    assert error.code == "image_too_large"


async def test_it_names_the_image_with_which_there_are_too_many_pixels() -> None:
    urls = [data_url(picture(size=(100, height))) for height in (30, 20, 1, 1)]
    enough = loader(limits=Limits(images_pixels=5200))
    assert len((await enough.load(asked(*urls))).images) == 4
    error = await refusal(loader(limits=Limits(images_pixels=5000)), *urls)
    assert (error.code, error.http_status) == ("image_too_large", 400)
    assert error.param == "messages[1].content[3]"
    assert "more than 5,000 pixels together" in error.message


async def test_it_never_holds_up_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoding base64 holds the interpreter's lock: 16 MB in one piece, 65 ms."""
    pieces: list[int] = []
    threads = set()

    def decode(piece: str, *, strict_mode: bool) -> bytes:
        pieces.append(len(piece))
        threads.add(threading.current_thread())
        return binascii.a2b_base64(piece, strict_mode=strict_mode)

    decoding = SimpleNamespace(a2b_base64=decode, Error=binascii.Error)
    monkeypatch.setattr("inference.images.sources.binascii", decoding)
    data = picture() + b"\0" * 12_000_000

    loaded = await ImageLoader().load(asked(data_url(data), data_url(data)))

    assert [image.data for image in loaded.images] == [data, data]
    assert max(pieces) <= 1 << 16
    assert threading.current_thread() not in threads


async def test_an_error_of_our_own_is_not_blamed_on_the_image(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("inference.images.loader.to_image", broken)
    with pytest.raises(ZeroDivisionError):
        await ImageLoader().load(asked(data_url(picture())))


def test_the_web_process_needs_no_image_library() -> None:
    code = (
        "import sys, inference.images.loader, inference.images.fetching; "
        "print({'PIL', 'numpy'} & set(sys.modules))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert found.stdout == "set()\n"


@pytest.mark.parametrize("url", ["http://img.test/", data_url(b"GIF89a")])
async def test_errors_know_their_outcome(url: str) -> None:
    async with site(serving(b"GIF89a")) as it:
        error = await refusal(loader(RoutedPolicy(it.port)), url)
    assert isinstance(error, InvalidRequestError)
    assert error.outcome == "invalid"
    assert error.code == "invalid_image"
