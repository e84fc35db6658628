"""The live page in a browser, over a real server: what is seen, and what is done."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Any

import openai
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.browsers import every_text, log_in, open_browser, show_at
from tests.e2e.servers import Server, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from selenium.webdriver.remote.webdriver import WebDriver

PAGE = "/admin/live/"
PATIENCE_S = 60.0
ENDLESS: dict[str, Any] = {
    "model": "rambler",
    "messages": [{"role": "user", "content": "Hello"}],
    "temperature": 0,
    "max_tokens": 100_000,
}
ROWS = "#requests tbody tr"
WIDTHS = (1440, 820, 390)

# Lets a test reach the page's sockets, and send the next ones astray.
REACH_SOCKETS = """
    const Kept = window.WebSocket;
    window.sockets = [];
    window.WebSocket = class extends Kept {
        constructor(url) {
            super(window.wrongWay ? new URL(window.wrongWay, url) : url);
            window.sockets.push(this);
        }
    };
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(
    rambler_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A model that never ends by itself, with one seat."""
    data = tmp_path_factory.mktemp("live") / "data"
    running = Server(data, rambler_dir, "--max-concurrency", "1")
    yield running.wait_ready()
    running.kill()


@pytest.fixture
def browser(server: Server, tmp_path: Path) -> Iterator[WebDriver]:
    """A browser of the first staff user, on the live page."""
    with open_browser("--disable-gpu", f"--user-data-dir={tmp_path}") as driver:
        script = {"source": REACH_SOCKETS}
        driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", script)
        log_in(driver, server, page=PAGE)
        wait_until(lambda: link_of(driver) == "connected", "the socket", PATIENCE_S)
        yield driver


class Asking:
    """A request in a thread of its own, and how it ended."""

    def __init__(self, server: Server) -> None:
        self.end = ""
        self._client = server.client()
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._thread.start()

    def _ask(self) -> None:
        try:
            for _ in self._client.chat.completions.create(stream=True, **ENDLESS):
                pass
        except openai.APIError as error:
            self.end = str(error.code)

    def joined(self) -> str:
        """Return how it ended, once it has."""
        self._thread.join(PATIENCE_S)
        return self.end


def text_of(browser: WebDriver, selector: str) -> str:
    # Found and read at once: the page changes by itself, and comes after another.
    script = (
        "const e = document.querySelector(arguments[0]);"
        "return e?.checkVisibility() ? e.innerText.trim() : ''"
    )
    return str(browser.execute_script(script, selector))


def link_of(browser: WebDriver) -> str:
    return text_of(browser, "#link")


def phases(browser: WebDriver) -> list[str]:
    script = (
        "return [...document.querySelectorAll(arguments[0])].map(r => r.dataset.phase)"
    )
    found: list[str] = browser.execute_script(script, ROWS)
    return found


def see_phases(browser: WebDriver, *wanted: str) -> None:
    wait_until(lambda: phases(browser) == list(wanted), f"{wanted}", PATIENCE_S)


def tokens(browser: WebDriver) -> int:
    return int(re.sub(r"\D", "", text_of(browser, f"{ROWS} .tokens")) or 0)


def cancel_button(browser: WebDriver, place: int) -> Any:
    return browser.find_elements(By.CSS_SELECTOR, f"{ROWS} .cancel")[place]


def drop_socket(browser: WebDriver) -> None:
    """End the page's newest connection."""
    browser.execute_script("window.sockets.at(-1).close()")


def test_a_stream_is_seen_running_and_one_waiting_and_both_are_cancelled(
    server: Server, browser: WebDriver
) -> None:
    assert "Nothing runs" in text_of(browser, "#no-requests")
    first = Asking(server)
    see_phases(browser, "decode")
    second = Asking(server)
    see_phases(browser, "decode", "queued")
    before = tokens(browser)
    wait_until(lambda: tokens(browser) > before, "more tokens", PATIENCE_S)
    assert "waiting, 1st in line" in text_of(browser, f"{ROWS}:last-child .phase")
    assert text_of(browser, "#n-running") == text_of(browser, "#n-waiting") == "1"
    assert float(text_of(browser, "#n-tps").replace(",", "")) > 0

    # Asked once more in place; without an answer nothing happens.
    button = cancel_button(browser, 1)
    button.click()
    assert button.text == "Really?"
    wait_until(lambda: button.text == "Cancel", "patience", PATIENCE_S)
    assert phases(browser) == ["decode", "queued"]
    # With the keyboard alone, and the focus goes on to the row that stays.
    button.send_keys(Keys.ENTER)
    button.send_keys(Keys.ENTER)
    see_phases(browser, "decode")
    assert browser.switch_to.active_element == cancel_button(browser, 0)
    assert second.joined() == "cancelled_by_staff"

    seen = browser.find_element(By.CSS_SELECTOR, ROWS).get_attribute("data-id")
    told = every_text(browser, "#toast")
    for _ in range(2):
        cancel_button(browser, 0).click()
    see_phases(browser)
    assert first.joined() == "cancelled_by_staff"
    said = f"{str(seen)[:12]} cancelled. Its record keeps the tokens generated so far."
    wait_until(lambda: said in told(), "a word", PATIENCE_S)
    server.count_rows()
    row = server.rows()[str(seen)]
    assert (row["outcome"], row["reason"]) == ("cancelled", "cancelled_by_staff")
    assert row["completion_tokens"] >= before
    chip = '#ended tbody tr .chip[data-o="cancelled"]'
    assert text_of(browser, chip) == "cancelled"
    assert _complaints(browser) == []


def test_its_link_leads_to_the_row(server: Server, browser: WebDriver) -> None:
    asking = Asking(server)
    see_phases(browser, "decode")
    row = browser.find_element(By.CSS_SELECTOR, ROWS)
    seen = str(row.get_attribute("data-id"))
    for _ in range(2):
        cancel_button(browser, 0).click()
    asking.joined()
    server.count_rows()
    see_phases(browser)
    browser.find_element(By.CSS_SELECTOR, f'#ended tr[data-id="{seen}"] a').click()
    wait_until(lambda: "requestlog" in browser.current_url, "the list", PATIENCE_S)
    rows = (By.CSS_SELECTOR, "#result_list tbody tr")
    wait_until(lambda: browser.find_elements(*rows), "its row", PATIENCE_S)
    assert len(browser.find_elements(*rows)) == 1


def test_it_fits_every_width_in_light_and_in_dark(
    server: Server, browser: WebDriver
) -> None:
    asking = Asking(server)
    waiting = Asking(server)
    see_phases(browser, "decode", "queued")
    for width in WIDTHS:
        show_at(browser, width, height=900)
        for theme in ("light", "dark"):
            browser.execute_script(
                "document.documentElement.dataset.theme = arguments[0]", theme
            )
            wide = browser.execute_script("return document.body.scrollWidth")
            assert wide <= width, (width, theme)
            assert cancel_button(browser, 1).is_displayed()
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    for _ in range(2):
        cancel_button(browser, 1).click()
    see_phases(browser, "decode")
    for _ in range(2):
        cancel_button(browser, 0).click()
    assert (asking.joined(), waiting.joined()) == ("cancelled_by_staff",) * 2


def test_it_says_that_it_lost_the_server_and_finds_it_again(
    server: Server, browser: WebDriver
) -> None:
    browser.execute_script("window.stayed = true; window.wrongWay = '/ws/nowhere'")
    drop_socket(browser)
    wait_until(lambda: "trying again in" in link_of(browser), "a word", PATIENCE_S)
    browser.execute_script("delete window.wrongWay")
    wait_until(lambda: link_of(browser) == "connected", "the server", PATIENCE_S)
    assert browser.execute_script("return window.stayed") is True


def test_it_says_that_its_user_has_logged_out(
    server: Server, browser: WebDriver
) -> None:
    browser.delete_all_cookies()
    drop_socket(browser)
    wait_until(lambda: "signed out" in link_of(browser), "a word", PATIENCE_S)
    again = browser.find_element(By.CSS_SELECTOR, "#link a").get_attribute("href")
    assert str(again).endswith("/admin/login/?next=/admin/live/")


def test_it_stands_still_when_paused(server: Server, browser: WebDriver) -> None:
    pause = browser.find_element(By.ID, "pause")
    pause.click()
    assert "paused" in link_of(browser)
    with server.client() as client:
        client.chat.completions.create(**ENDLESS | {"max_tokens": 5})
    ended = text_of(browser, "#n-ended")
    pause.click()
    wait_until(lambda: text_of(browser, "#n-ended") != ended, "the end", PATIENCE_S)
    assert link_of(browser) == "connected"


def _complaints(browser: WebDriver) -> list[str]:
    assert isinstance(browser, webdriver.Chrome)
    return [entry["message"] for entry in browser.get_log("browser")]
