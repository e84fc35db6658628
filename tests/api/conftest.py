"""The server of these tests: Django's own ASGI application around a script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.core.asgi import get_asgi_application

from inference.runtime.app import install_app
from tests.api.cast import AfterView, Client, House, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def make_house() -> Iterator[Callable[..., House]]:
    """Build a house and move in; the last one built is the one that answers."""

    def make(*steps: Step, **options: Any) -> House:
        house = House.build(*steps, **options)
        install_app(house.app)
        return house

    yield make
    install_app(None)


@pytest.fixture
def client(settings: Any) -> Iterator[Client]:
    """Reach the real URLs through the real middleware."""
    settings.ROOT_URLCONF = "inference.routing"
    settings.ALLOWED_HOSTS = ["testserver"]
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE,
        "tests.api.cast.after_view_middleware",
    ]
    yield Client(get_asgi_application())  # type: ignore[arg-type]
    AfterView.hook = None
