"""The record in a browser, over a real server: filter, open, copy, export."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

import httpx
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select

from tests.browsers import log_in, open_browser
from tests.e2e.servers import Server, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from selenium.webdriver.remote.webdriver import WebDriver

LIST = "/admin/metrics/requestlog/"
PATIENCE_S = 30.0

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(
    tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """The tiny model, with three requests in the record: two finished, one invalid."""
    running = Server(tmp_path_factory.mktemp("record") / "data", tiny_model_dir)
    running.wait_ready()
    for text in ("Hello", "Again"):
        assert _ask(running, messages=[{"role": "user", "content": text}]) == 200
    assert _ask(running, messages=[], user="anna") == 400
    yield running
    running.kill()


@pytest.fixture(scope="module")
def browser(
    server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WebDriver]:
    """A browser that is logged in as the first staff user."""
    profile = tmp_path_factory.mktemp("browser")
    with open_browser(f"--user-data-dir={profile}") as driver:
        log_in(driver, server)
        wait_until(lambda: _shown(driver, server) == 3, "the rows", PATIENCE_S)
        yield driver


def test_staff_filter_and_take_filters_away(server: Server, browser: WebDriver) -> None:
    browser.get(server.base_url + LIST)
    browser.find_element(By.CSS_SELECTOR, '[name="outcome"][value="finished"]').click()
    Select(browser.find_element(By.NAME, "hours")).select_by_value("1")
    browser.find_element(By.CSS_SELECTOR, "#filter-form input[type=submit]").click()
    # The script leaves out what is empty, so that the address can be handed on.
    wait_until(
        lambda: browser.current_url.endswith("?hours=1&outcome=finished"),
        "the filter",
        PATIENCE_S,
    )
    assert _outcomes(browser) == ["finished", "finished"]
    pills = browser.find_elements(By.CSS_SELECTOR, ".pill")
    assert [pill.text.splitlines()[-1] for pill in pills] == ["last hour", "finished"]
    pills[1].click()
    wait_until(lambda: len(_outcomes(browser)) == 3, "all again", PATIENCE_S)
    assert _complaints(browser) == []


def test_a_span_from_now_and_one_between_moments_exclude_each_other(
    server: Server, browser: WebDriver
) -> None:
    browser.get(server.base_url + LIST + "?hours=24")
    browser.execute_script(
        "const to = document.getElementsByName('to')[0];"
        "to.value = '2020-01-01T00:00';"
        "to.dispatchEvent(new Event('input'));"
    )
    browser.find_element(By.CSS_SELECTOR, "#filter-form input[type=submit]").click()
    wait_until(lambda: "to=2020" in browser.current_url, "the filter", PATIENCE_S)
    assert "hours" not in browser.current_url
    assert "No match" in browser.find_element(By.ID, "changelist").text


def test_a_row_opens_and_copies_as_curl(server: Server, browser: WebDriver) -> None:
    origin = server.base_url
    for permission in ("clipboardReadWrite", "clipboardSanitizedWrite"):
        grant = {"permissions": [permission], "origin": origin}
        browser.execute_cdp_cmd("Browser.grantPermissions", grant)
    browser.get(origin + LIST + "?outcome=finished")
    browser.find_element(By.CSS_SELECTOR, "#result_list tbody th a").click()
    wait_until(lambda: "/change/" in browser.current_url, "its page", PATIENCE_S)
    assert browser.find_element(By.CSS_SELECTOR, ".title-row .chip").text == "finished"
    assert browser.find_elements(By.CSS_SELECTOR, ".timeline rect.ph-decode")
    button = browser.find_element(By.CSS_SELECTOR, "button[data-copy]")
    button.click()
    wait_until(lambda: button.text == "Copied", "the copy", PATIENCE_S)
    words = shlex.split(browser.find_element(By.ID, "curl").text)
    assert words[1] == f"{origin}/v1/chat/completions"
    body = json.loads(words[words.index("-d") + 1])
    assert body["max_tokens"] == 3
    assert body["messages"] == [{"role": "user", "content": "…"}]
    assert _complaints(browser) == []


def test_what_is_shown_leaves_as_a_file(server: Server, browser: WebDriver) -> None:
    browser.get(server.base_url + LIST + "?outcome=finished")
    link = browser.find_element(By.LINK_TEXT, "JSON lines").get_attribute("href")
    assert link is not None
    cookies = {one["name"]: one["value"] for one in browser.get_cookies()}
    with httpx.stream("GET", link, cookies=cookies, timeout=PATIENCE_S) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/x-ndjson"
        rows = [json.loads(line) for line in answer.iter_lines()]
    assert [row["outcome"] for row in rows] == ["finished", "finished"]
    assert all(row["completion_tokens"] for row in rows)


def test_the_keys_page_is_one_click_away(server: Server, browser: WebDriver) -> None:
    browser.get(server.base_url + LIST)
    browser.find_element(By.LINK_TEXT, "Keys").click()
    wait_until(lambda: "/keys/" in browser.current_url, "the page", PATIENCE_S)
    assert browser.find_element(By.TAG_NAME, "h1").text == "Keys"
    assert _complaints(browser) == []


def _ask(server: Server, **body: object) -> int:
    body = {"model": "tiny-qwen2-vl", "max_tokens": 3, **body}
    url = f"{server.base_url}/v1/chat/completions"
    return httpx.post(url, json=body, timeout=PATIENCE_S).status_code


def _shown(browser: WebDriver, server: Server) -> int:
    browser.get(server.base_url + LIST)
    outcomes = _outcomes(browser)
    return 0 if "running" in outcomes else len(outcomes)


def _outcomes(browser: WebDriver) -> list[str]:
    # Found and read at once: a page that leaves takes its elements with it.
    script = (
        "const chips = document.querySelectorAll('#result_list .chip');"
        "return Array.from(chips, (chip) => chip.innerText.trim())"
    )
    found: list[str] = browser.execute_script(script)
    return found


def _complaints(browser: WebDriver) -> list[str]:
    assert isinstance(browser, webdriver.Chrome)
    return [entry["message"] for entry in browser.get_log("browser")]
