"""Which servers fetch images."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.core.exceptions import ImproperlyConfigured

from inference.conf import ServerConfig
from mlxsite.options import SECONDS, WHOLE, image_hosts
from mlxsite.server.parts import image_loader
from tests.images.cast import data_url, picture, refusal


@pytest.mark.parametrize(
    ("host", "urls", "hosts", "fetches"),
    [
        ("127.0.0.1", "", (), True),
        ("localhost", "", (), True),
        ("::1", "", (), True),
        ("[::1]", "", (), True),
        ("0.0.0.0", "", (), False),
        ("192.168.1.5", "", (), False),
        ("mac-studio.local", "", (), False),
        ("0.0.0.0", "", ("example.com",), True),
        ("0.0.0.0", "1", (), True),
        ("0.0.0.0", "true", (), True),
        ("127.0.0.1", "0", (), False),
        ("127.0.0.1", "false", ("example.com",), False),
    ],
)
def test_images_are_fetched_where_only_this_machine_asks_or_somebody_said_so(
    host: str, urls: str, hosts: tuple[str, ...], fetches: bool
) -> None:
    config = replace(
        ServerConfig.from_settings(), host=host, image_urls=urls, image_hosts=hosts
    )
    assert config.fetches_images is fetches


def test_a_wrong_list_of_hosts_stops_the_start_with_one_line() -> None:
    assert image_hosts(["example.com", "*.example.org"]) == [
        "example.com",
        "*.example.org",
    ]
    with pytest.raises(ImproperlyConfigured) as refused:
        image_hosts(["https://example.com"])
    assert str(refused.value) == (
        "IMAGE_HOSTS must be names such as example.com or *.example.com, not "
        "'https://example.com'."
    )


@pytest.mark.parametrize("fetches", ["0", "1"])
async def test_the_pixels_of_all_images_are_bounded_by_a_setting(
    fetches: str,
) -> None:
    config = replace(ServerConfig.from_settings(), image_pixels=95, image_urls=fetches)
    loader = image_loader(config)
    error = await refusal(loader, *[data_url(picture(size=(8, 6)))] * 2)
    assert error.code == "image_too_large"
    assert "95 pixels" in error.message
    await loader.close()


def test_the_pixels_of_all_images_have_bounds() -> None:
    assert ServerConfig.from_settings().image_pixels == 8 * 24_000_000
    for text in ("0", "-1", "1e9", "many"):
        with pytest.raises(ValueError, match="must be"):
            WHOLE["IMAGE_PIXELS"].parse(text)


def test_the_time_for_an_image_has_bounds() -> None:
    assert ServerConfig.from_settings().image_timeout_s == 10
    for text in ("0", "601", "nan", "soon"):
        with pytest.raises(ValueError, match="must be"):
            SECONDS["IMAGE_TIMEOUT"].parse(text)
