"""The history page in a browser, over a real server with a day behind it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.browsers import log_in, open_browser
from tests.conftest import REPOSITORY
from tests.e2e.servers import Server, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from selenium import webdriver
    from selenium.webdriver.remote.webelement import WebElement

PAGE = "/admin/history/"
ROWS = "/admin/metrics/requestlog/"
PATIENCE_S = 60.0
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(
    tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server that has just started; nobody asked it for anything."""
    data = tmp_path_factory.mktemp("history") / "data"
    running = Server(data, tiny_model_dir, SPARE_WORKER="0")
    yield running.wait_ready()
    running.kill()


@pytest.fixture(scope="module")
def browser(server: Server) -> Iterator[webdriver.Chrome]:
    """A browser that is logged in as the first staff user."""
    with open_browser() as driver:
        log_in(driver, server)
        yield driver


@pytest.fixture(scope="module")
def requests(server: Server, browser: webdriver.Chrome) -> int:
    """How many requests the day had; the page of the empty server was seen before."""
    browser.get(server.base_url + PAGE)
    wait_until(lambda: find(browser, "#empty").is_displayed(), "the empty page")
    assert "Nothing recorded yet" in find(browser, "#empty").text
    assert "/v1/chat/completions" in find(browser, "#first").text
    assert server.base_url in find(browser, "#first").text
    script = (
        "import django; django.setup()\n"
        "from datetime import UTC, datetime\n"
        "from tests.metrics.history_rows import seed\n"
        "print(seed(datetime.now(UTC), days=0.98, per_minute=1))"
    )
    data, database = str(server.data_dir), server.record.url
    made = subprocess.run(
        [sys.executable, "-c", script],
        cwd=REPOSITORY,
        env=os.environ | {"MLX_DATA_DIR": data, "DATABASE_URL": database},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(made.stdout)


def find(browser: webdriver.Chrome, selector: str) -> WebElement:
    return browser.find_element(By.CSS_SELECTOR, selector)


def open_page(server: Server, browser: webdriver.Chrome, query: str = "") -> None:
    browser.get(server.base_url + PAGE + query)
    wait_until(
        lambda: browser.find_elements(By.CSS_SELECTOR, ".chart canvas"), "charts"
    )


def told(browser: webdriver.Chrome, selector: str) -> str:
    return find(browser, selector).get_attribute("textContent") or ""


def drag(browser: webdriver.Chrome, chart: str, *, by: int) -> None:
    plot = find(browser, f"#chart-{chart} .u-over")
    actions = ActionChains(browser).move_to_element_with_offset(plot, -by // 2, 0)
    actions.click_and_hold().move_by_offset(by, 0).release().perform()


def double_click(browser: webdriver.Chrome, chart: str) -> None:
    """Double-click a plot, at once: a busy machine's pause would make it two clicks."""
    script = """
        const over = document.querySelector(arguments[0]);
        const box = over.getBoundingClientRect();
        const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
        const at = {bubbles: true, clientX: x, clientY: y};
        for (let i = 0; i < 2; i++) {
            over.dispatchEvent(new PointerEvent('pointerdown', at));
            over.dispatchEvent(new MouseEvent('click', at));
        }
        over.dispatchEvent(new MouseEvent('dblclick', at));
    """
    browser.execute_script(script, f"#chart-{chart} .u-over")


def zoomed(browser: webdriver.Chrome) -> bool:
    return find(browser, "#zoom").is_displayed()


def test_its_totals_are_the_rows(
    server: Server, browser: webdriver.Chrome, requests: int
) -> None:
    open_page(server, browser)
    assert told(browser, "#fig-requests") == f"{requests:,}"
    chips = browser.find_elements(By.CSS_SELECTOR, "#tally a.chip b")
    assert sum(int(chip.text.replace(",", "")) for chip in chips) == requests
    link = find(browser, '#tally [data-o="finished"]').get_attribute("href") or ""
    assert parse_qs(urlsplit(link).query)["outcome"] == ["finished"]


@pytest.mark.usefixtures("requests")
def test_dragging_zooms_all_charts_and_a_double_click_leads_back(
    server: Server, browser: webdriver.Chrome
) -> None:
    open_page(server, browser)
    assert not zoomed(browser)
    drag(browser, "requests", by=200)
    wait_until(lambda: zoomed(browser), "a zoom", PATIENCE_S)
    double_click(browser, "requests")
    wait_until(lambda: not zoomed(browser), "the whole range", PATIENCE_S)
    assert urlsplit(browser.current_url).path == PAGE
    drag(browser, "ttft", by=80)
    wait_until(lambda: zoomed(browser), "a zoom", PATIENCE_S)
    find(browser, "#zoom-finer").click()
    wait_until(
        lambda: "one point is 1 min" in told(browser, "#when"), "minutes", PATIENCE_S
    )
    assert not zoomed(browser)
    assert {"from", "to"} <= set(parse_qs(urlsplit(browser.current_url).query))


@pytest.mark.usefixtures("requests")
def test_a_click_opens_the_rows_behind_a_point(
    server: Server, browser: webdriver.Chrome
) -> None:
    open_page(server, browser, "?model=qwen3-32b")
    link = _figures(browser, "requests")[3]
    asked = {name: only for name, (only,) in parse_qs(urlsplit(link).query).items()}
    assert asked["model"] == "qwen3-32b"
    assert int(asked["to"]) - int(asked["from"]) == 300
    plot = find(browser, "#chart-ttft .u-over")
    ActionChains(browser).move_to_element(plot).click().perform()
    wait_until(
        lambda: urlsplit(browser.current_url).path == ROWS, "the list", PATIENCE_S
    )


@pytest.mark.usefixtures("requests")
def test_the_keyboard_reads_zooms_and_opens(
    server: Server, browser: webdriver.Chrome
) -> None:
    open_page(server, browser)
    chart = find(browser, "#chart-ttft")
    chart.send_keys(Keys.END)
    first = told(browser, "#chart-live")
    assert re.search(r"\d\d:\d\d: p50 .+, p95 .+, p99 .+", first)
    chart.send_keys(Keys.ARROW_LEFT)
    assert told(browser, "#chart-live") != first
    chart.send_keys("+")
    wait_until(lambda: zoomed(browser), "a zoom", PATIENCE_S)
    chart.send_keys(Keys.ESCAPE)
    wait_until(lambda: not zoomed(browser), "the whole range", PATIENCE_S)
    chart.send_keys(Keys.HOME, Keys.ENTER)
    wait_until(
        lambda: urlsplit(browser.current_url).path == ROWS, "the list", PATIENCE_S
    )


@pytest.mark.usefixtures("requests")
def test_events_are_buttons_that_say_what_happened(
    server: Server, browser: webdriver.Chrome
) -> None:
    open_page(server, browser)
    find(browser, "#lane button[data-lost]").click()
    said = find(browser, "#event-said").text
    assert "worker died qwen3-32b: out of memory on the GPU" in said
    assert ROWS in (find(browser, "#event-said a").get_attribute("href") or "")


@pytest.mark.usefixtures("requests")
def test_it_refreshes_itself_and_keeps_zoom_and_focus(
    server: Server, browser: webdriver.Chrome
) -> None:
    open_page(server, browser)
    drag(browser, "requests", by=200)
    wait_until(lambda: zoomed(browser), "a zoom", PATIENCE_S)
    before = told(browser, "#zoom-text")
    browser.execute_script("document.getElementById('chart-speed').focus()")
    asked = "return performance.getEntriesByType('resource').filter(e => e.name.includes('history/data')).length"
    count = browser.execute_script(asked)
    browser.execute_script("document.dispatchEvent(new Event('visibilitychange'))")
    wait_until(
        lambda: (
            browser.execute_script(asked) > count
            and not find(browser, "#history").get_attribute("aria-busy")
        ),
        "another look",
        PATIENCE_S,
    )
    assert told(browser, "#zoom-text") == before
    focused = browser.execute_script("return document.activeElement.id")
    assert focused == "chart-speed"


@pytest.mark.usefixtures("requests")
def test_no_page_is_stopped_by_its_own_policy(
    server: Server, browser: webdriver.Chrome
) -> None:
    browser.get_log("browser")
    open_page(server, browser)
    drag(browser, "requests", by=100)
    for path in (
        "/admin/",
        ROWS,
        "/admin/metrics/servereventlog/",
        "/admin/inference/modelentry/",
        "/admin/inference/modelentry/add/",
        "/admin/auth/user/1/change/",
    ):
        browser.get(server.base_url + path)
    find(browser, ".date-icon").click()
    assert find(browser, ".calendarbox").is_displayed()
    find(browser, ".clock-icon").click()
    assert find(browser, ".clockbox").is_displayed()
    theme = "return document.documentElement.dataset.theme"
    before = browser.execute_script(theme)
    find(browser, ".theme-toggle").click()
    assert browser.execute_script(theme) != before
    assert [entry["message"] for entry in browser.get_log("browser")] == []


@pytest.mark.usefixtures("requests")
def test_what_the_policy_forbids_does_not_run(
    server: Server, browser: webdriver.Chrome
) -> None:
    open_page(server, browser)
    browser.execute_script(
        "const s = document.createElement('script');"
        "s.textContent = 'window.ran = true'; document.body.append(s)"
    )
    assert browser.execute_script("return window.ran") is None
    assert "Content Security Policy" in json.dumps(browser.get_log("browser"))


@pytest.mark.usefixtures("requests")
def test_it_fits_a_phone(server: Server, browser: webdriver.Chrome) -> None:
    override = "Emulation.setDeviceMetricsOverride"
    browser.execute_cdp_cmd(override, PHONE)
    try:
        open_page(server, browser)
        width = "return document.documentElement.scrollWidth"
        assert browser.execute_script(width) == PHONE["width"]
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def _figures(browser: webdriver.Chrome, chart: str) -> list[str]:
    """Turn a chart into its table; return where its points lead."""
    find(browser, f"#chart-{chart} header button").click()
    links = browser.find_elements(By.CSS_SELECTOR, f"#chart-{chart} .data tbody a")
    return [link.get_attribute("href") or "" for link in links]
