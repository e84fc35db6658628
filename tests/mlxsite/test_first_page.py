"""The page at `/`: where to point a client, and what a newcomer does first."""

from __future__ import annotations

import html
import json
import re
import shlex
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

from inference.core.catalog import ModelCard
from inference.core.outcomes import ModelState
from inference.runtime.app import install_app
from tests.api.cast import MODEL, House
from tests.metrics.dashboards import make_user

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Install = Callable[..., House]

KEY = "a-long-random-text"
pytestmark = pytest.mark.django_db


@pytest.fixture
def install() -> Iterator[Install]:
    """Put a server behind the page, with these models."""

    def make(*cards: ModelCard, is_ready: bool = False, **options: Any) -> House:
        house = House.build(**options)

        async def known_cards() -> tuple[ModelCard, ...]:
            return cards

        if cards or not is_ready:
            house.service.known_cards = known_cards  # type: ignore[method-assign]
            house.service.is_ready = is_ready
        install_app(house.app)
        return house

    yield make
    install_app(None)


def page(path: str = "/", *, host: str = "localhost:8000", staff: bool = False) -> str:
    browser = Client(headers={"host": host})
    if staff:
        browser.force_login(make_user("ann"))
    answer = browser.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def headline(text: str) -> str:
    found = re.search(r"<h1>(.*?)</h1>", text, re.DOTALL)
    assert found
    return html.unescape(found[1]).strip()


def snippet(text: str, name: str) -> str:
    found = re.search(rf'<code id="code-{name}">(.*?)</code>', text, re.DOTALL)
    assert found
    return html.unescape(found[1])


def card(state: ModelState, key: str = "quick", **known: Any) -> ModelCard:
    return ModelCard(key=key, source="/models/secret-folder", state=state, **known)


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:9", "[::1]:8000"])
def test_it_shows_the_address_as_its_visitor_reached_it(
    install: Install, host: str
) -> None:
    install(is_ready=True)
    text = page(host=host)
    assert f'<code id="base" tabindex="0">http://{host}/v1</code>' in text
    assert f"curl http://{host}/v1/chat/completions" in snippet(text, "curl")


def test_it_shows_no_address_that_somebody_else_made_up(install: Install) -> None:
    install(is_ready=True)
    answer = Client(headers={"host": "evil.example"}).get("/")
    assert answer.status_code == 400
    spoofed = Client(headers={"host": "localhost", "x-forwarded-host": "evil.example"})
    assert b"evil" not in spoofed.get("/").content


@pytest.mark.parametrize(
    ("cards", "is_ready", "says", "leads_to"),
    [
        ([card(ModelState.READY)], True, "Your server is ready.", "chat here"),
        ([card(ModelState.UNLOADED)], True, "Your server is ready.", "first request"),
        (
            [card(ModelState.LOADING, progress=0.62)],
            False,
            "quick is loading.",
            "62 %",
        ),
        (
            [card(ModelState.DOWNLOADING, progress=0.1)],
            False,
            "quick is being downloaded.",
            "requests wait until the model is there",
        ),
        ([card(ModelState.RESTARTING)], False, "quick is restarting.", "requests wait"),
        (
            [card(ModelState.FAILED, error="needs 39.7 GB, 31.2 GB free")],
            False,
            "quick cannot answer.",
            "needs 39.7 GB, 31.2 GB free",
        ),
        (
            [card(ModelState.QUARANTINED)],
            False,
            "quick cannot answer.",
            "mlx-server load NAME",
        ),
        ([], False, "There is no model yet.", "mlx-server pull"),
        ([card(ModelState.UNLOADED)], False, "There is no model yet.", "mlx-server"),
        (
            [card(ModelState.FAILED, "slow"), card(ModelState.READY)],
            True,
            "Your server is ready.",
            "chat here",
        ),
    ],
)
def test_it_says_how_the_server_stands_and_what_to_do_next(
    install: Install, cards: list[ModelCard], is_ready: bool, says: str, leads_to: str
) -> None:
    install(*cards, is_ready=is_ready)
    text = page()
    assert headline(text) == says
    assert leads_to in text
    assert "secret-folder" not in text
    for each in cards:
        assert f'data-m="{each.state}"' in text


def test_it_says_that_the_server_is_going(install: Install) -> None:
    install(is_ready=True).service.is_draining = True
    assert headline(page()) == "The server is shutting down."


def test_it_says_that_no_server_runs_in_this_process() -> None:
    text = page()
    assert headline(text) == "No server runs in this process."
    assert "mlx-server launch" in text


def test_a_stranger_learns_no_more_than_v1_models_tells(install: Install) -> None:
    install(is_ready=True, key=KEY)
    text = page()
    assert headline(text) == "Your server is ready."
    assert "A key is needed." in text
    assert MODEL not in text
    assert KEY not in text
    assert '"MODEL"' in snippet(text, "python")
    assert Client(headers={"host": "localhost"}).get("/v1/models").status_code == 401


def test_a_stranger_is_not_told_which_model_failed(install: Install) -> None:
    install(card(ModelState.FAILED, error="secret words"), key=KEY)
    text = page()
    assert headline(text) == "No model is ready yet."
    assert "quick" not in text
    assert "secret words" not in text


def test_staff_see_the_models_and_never_the_key(install: Install) -> None:
    install(is_ready=True, key=KEY)
    text = page(staff=True)
    assert MODEL in text
    assert KEY not in text
    assert "$MLX_API_KEY" in snippet(text, "curl")
    assert 'api_key=os.environ["MLX_API_KEY"]' in snippet(text, "python")
    assert "process.env.MLX_API_KEY" in snippet(text, "javascript")


def test_a_long_library_is_cut_short(install: Install) -> None:
    cards = [card(ModelState.UNLOADED, f"model-{i}") for i in range(30)]
    install(*cards, card(ModelState.READY), is_ready=True)
    text = page()
    assert text.count('data-m="unloaded"') == 8
    assert "and 22 more that load on demand" in text


@pytest.mark.parametrize(
    "key", ["org/plain-7B", "it's", 'say "hi"', "$(date)`\\", "Größe <b>", "a'; rm b"]
)
def test_its_programs_name_the_model_whatever_it_is_called(
    install: Install, key: str
) -> None:
    install(card(ModelState.READY, key), is_ready=True)
    text = page()
    words = shlex.split(snippet(text, "curl").replace("\\\n", " "))
    assert json.loads(words[words.index("-d") + 1])["model"] == key
    called: dict[str, Any] = {}

    class OpenAI:
        """What the program builds, and what it asks."""

        def __init__(self, **options: str) -> None:
            called.update(options)
            self.chat = self.completions = self

        def create(self, **body: Any) -> list[Any]:
            called.update(body)
            return []

    program = snippet(text, "python").replace("from openai import OpenAI", "")
    exec(compile(program, "snippet", "exec"), {"OpenAI": OpenAI})
    assert called["model"] == key
    assert called["base_url"] == "http://localhost:8000/v1"
    assert json.dumps(key) in snippet(text, "javascript")


@pytest.mark.parametrize("path", ["/", "/chat/"])
def test_the_pages_are_read_and_never_kept(install: Install, path: str) -> None:
    install(is_ready=True)
    browser = Client(headers={"host": "localhost"})
    assert "no-store" in browser.get(path).headers["Cache-Control"]
    assert browser.post(path).status_code == 405


def test_the_chat_page_asks_strangers_for_a_key_and_staff_for_none(
    install: Install,
) -> None:
    install(is_ready=True, key=KEY)
    assert "data-stranger" in page("/chat/")
    assert "data-stranger" not in page("/chat/", staff=True)
    install(is_ready=True)
    assert "data-stranger" not in page("/chat/")
