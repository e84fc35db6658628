"""The admin's pages of models in a browser, over a real server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select

from tests.browsers import every_text, log_in, open_browser
from tests.e2e.servers import Server, wait_until
from tests.library.cast import put_model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from selenium.webdriver.remote.webdriver import WebDriver

LIST = "/admin/inference/modelentry/"
PATIENCE_S = 60.0

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(
    tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """The tiny model, and another in the library."""
    shelf = tmp_path_factory.mktemp("shelf")
    put_model(tiny_model_dir, shelf / "second")
    data = tmp_path_factory.mktemp("pages") / "data"
    running = Server(data, tiny_model_dir, MODEL_DIRS=str(shelf))
    yield running.wait_ready()
    running.kill()


@pytest.fixture(scope="module")
def browser(server: Server) -> Iterator[WebDriver]:
    """A browser that is logged in as the first staff user."""
    with open_browser() as driver:
        log_in(driver, server)
        yield driver


def text_of(browser: WebDriver, selector: str) -> str:
    # Found and read at once: the page may change under a form that was sent.
    script = "return document.querySelector(arguments[0])?.innerText.trim() ?? ''"
    return str(browser.execute_script(script, selector))


def state_of(browser: WebDriver, key: str) -> str:
    return text_of(browser, f'[data-live=state][data-key="{key}"]')


def click_twice(browser: WebDriver, selector: str) -> None:
    """Click and click again before the button loses its patience."""
    script = (
        "const found = document.querySelector(arguments[0]);"
        "found.click(); found.click()"
    )
    browser.execute_script(script, selector)


def test_a_model_is_added_loaded_and_unloaded_without_a_reload(
    server: Server, browser: WebDriver
) -> None:
    browser.get(server.base_url + LIST)
    browser.find_element(By.CSS_SELECTOR, "details.library summary").click()
    browser.find_element(By.CSS_SELECTOR, '[aria-label="Add second"]').click()
    wait_until(lambda: browser.find_elements(By.NAME, "key"), "a form", PATIENCE_S)
    key = browser.find_element(By.NAME, "key")
    key.clear()
    key.send_keys("mine")
    browser.find_element(By.NAME, "_save").click()
    wait_until(lambda: state_of(browser, "mine") == "unloaded", "it", PATIENCE_S)

    box = '//tr[.//a[text()="mine"]]//input[@type="checkbox"]'
    browser.find_element(By.XPATH, box).click()
    Select(browser.find_element(By.NAME, "action")).select_by_value("load")
    browser.find_element(By.CSS_SELECTOR, ".actions button").click()
    wait_until(lambda: state_of(browser, "mine") == "ready", "the load", PATIENCE_S)
    assert "mine" in {model["id"] for model in server.get("/v1/models")["data"]}

    # From here on the page stays: only its script may change it.
    browser.execute_script("window.stayed = true")
    answer = server.client().chat.completions.create(
        model="mine",
        messages=[{"role": "user", "content": "Hello"}],
        max_tokens=2,
    )
    assert answer.model == "mine"
    used = '[data-live=used][data-key="mine"]'
    wait_until(lambda: text_of(browser, used) == "just now", "last used", PATIENCE_S)
    _unload(server, "mine")
    wait_until(lambda: state_of(browser, "mine") == "unloaded", "unload", PATIENCE_S)
    told = browser.find_element(By.CSS_SELECTOR, "[data-told]")
    assert told.get_attribute("textContent") == "mine: unloaded"
    assert browser.execute_script("return window.stayed") is True
    assert _complaints(browser) == []


def test_the_page_of_a_model_asks_again_before_it_ends_requests(
    server: Server, browser: WebDriver
) -> None:
    browser.get(server.base_url + LIST)
    browser.find_element(By.LINK_TEXT, "tiny-qwen2-vl").click()
    key = "tiny-qwen2-vl"
    wait_until(lambda: state_of(browser, key) == "ready", "its page", PATIENCE_S)
    selector = 'button[value="unload_now"]'

    def is_calm() -> bool:
        return text_of(browser, selector) == "Unload now"

    wait_until(is_calm, "its button", PATIENCE_S)
    told = every_text(browser, selector)
    browser.find_element(By.CSS_SELECTOR, selector).click()
    wait_until(lambda: "Really?" in told(), "asking", PATIENCE_S)
    wait_until(is_calm, "patience", PATIENCE_S)
    assert state_of(browser, "tiny-qwen2-vl") == "ready"
    click_twice(browser, selector)
    wait_until(
        lambda: state_of(browser, "tiny-qwen2-vl") == "unloaded", "unload", PATIENCE_S
    )


def test_it_says_when_nobody_answers(server: Server, browser: WebDriver) -> None:
    browser.get(server.base_url + LIST)
    stale = browser.find_element(By.CSS_SELECTOR, "[data-stale]")
    assert not stale.is_displayed()
    browser.execute_cdp_cmd("Network.enable", {})
    offline = {"latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    conditions = "Network.emulateNetworkConditions"
    browser.execute_cdp_cmd(conditions, {"offline": True, **offline})
    wait_until(stale.is_displayed, "a word about it", PATIENCE_S)
    online = dict.fromkeys(offline, -1) | {"latency": 0}
    browser.execute_cdp_cmd(conditions, {"offline": False, **online})
    wait_until(lambda: not stale.is_displayed(), "its end", PATIENCE_S)


def _unload(server: Server, key: str) -> None:
    url = f"{server.base_url}/v1/models/unload"
    answer = httpx.post(url, json={"key": key}, timeout=PATIENCE_S)
    assert answer.status_code == 200, answer.text


def _complaints(browser: WebDriver) -> list[str]:
    assert isinstance(browser, webdriver.Chrome)
    return [entry["message"] for entry in browser.get_log("browser")]
