"""The page of benchmarks in a browser: ticks, charts, the address, the keyboard."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from metrics.figures import NOTHING
from tests.browsers import log_in, open_browser
from tests.conftest import REPOSITORY
from tests.e2e.servers import Server, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from selenium import webdriver
    from selenium.webdriver.remote.webelement import WebElement

PAGE = "/admin/metrics/benchrun/"
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
SEED = """
import django; django.setup()
from tests.metrics.bench_runs import level, put_compared, put_run
put_run(9, note="slow", levels=[level(1, 4.0), level(32, 16.0)])
put_run(8, model="other model")
put_run(7, note="quick")
put_compared(6, note="beside")
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(
    tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server with four benchmarks."""
    data = tmp_path_factory.mktemp("bench") / "data"
    running = Server(data, tiny_model_dir).wait_ready()
    environment = {"MLX_DATA_DIR": str(data), "DATABASE_URL": running.record.url}
    subprocess.run(
        [sys.executable, "-c", SEED],
        cwd=REPOSITORY,
        env=os.environ | environment,
        check=True,
    )
    yield running
    running.kill()


@pytest.fixture(scope="module")
def browser(server: Server) -> Iterator[webdriver.Chrome]:
    """A browser that is logged in as the first staff user."""
    with open_browser() as driver:
        log_in(driver, server)
        yield driver


def find(browser: webdriver.Chrome, selector: str) -> WebElement:
    return browser.find_element(By.CSS_SELECTOR, selector)


def open_page(server: Server, browser: webdriver.Chrome, more: str = "") -> None:
    # A fragment alone would load nothing.
    browser.get("about:blank")
    browser.get(server.base_url + PAGE + more)
    wait_until(
        lambda: browser.find_elements(By.CSS_SELECTOR, "#chart-rate canvas"), "charts"
    )


def series(browser: webdriver.Chrome, chart: str = "rate") -> dict[str, str]:
    """Return what a chart's legend reads out, by series."""
    marks = browser.find_elements(By.CSS_SELECTOR, f"#chart-{chart} .legend > span")
    labels = [mark.find_elements(By.CSS_SELECTOR, ".series") for mark in marks]
    return {
        label[0].text: mark.find_element(By.CSS_SELECTOR, "b").text
        for label, mark in zip(labels, marks, strict=True)
        if label
    }


def tick(browser: webdriver.Chrome, note: str) -> None:
    row = f"//table[@id='result_list']//tr[contains(., '{note}')]"
    browser.find_element(By.XPATH, f"{row}//input").click()


def test_at_first_it_charts_the_newest_runs_of_one_model(
    server: Server, browser: webdriver.Chrome
) -> None:
    open_page(server, browser)
    assert "newest runs of small" in find(browser, "#bench-said").text
    assert series(browser) == {
        "beside": "90",
        "against 127.0.0.1:8081": "72",
        "quick": "90",
    }
    assert series(browser, "first")["quick"] == "11 ms"


def test_ticked_runs_are_charted_at_once_and_stand_in_the_address(
    server: Server, browser: webdriver.Chrome
) -> None:
    open_page(server, browser)
    tick(browser, "slow")
    assert series(browser) == {"slow": "16"}
    tick(browser, "quick")
    # Read at the highest concurrency that both were measured at.
    assert series(browser) == {"quick": "20", "slow": "4"}
    address = browser.current_url
    open_page(server, browser)
    assert "slow" not in series(browser)
    open_page(server, browser, f"#{address.partition('#')[2]}")
    assert series(browser) == {"quick": "20", "slow": "4"}
    assert "2 of 4 selected" in find(browser, ".action-counter").text


def test_the_keyboard_reads_each_concurrency_aloud(
    server: Server, browser: webdriver.Chrome
) -> None:
    open_page(server, browser, "#runs=1,3")
    chart = find(browser, "#chart-rate")
    chart.send_keys(Keys.HOME)
    live = find(browser, "#chart-live")
    assert live.get_attribute("textContent") == "1 at a time: quick 20, slow 4"
    chart.send_keys(Keys.END)
    assert (
        live.get_attribute("textContent") == f"32 at a time: quick {NOTHING}, slow 16"
    )
    assert series(browser) == {"quick": NOTHING, "slow": "16"}
    chart.send_keys(Keys.ESCAPE)
    assert series(browser) == {"quick": "20", "slow": "4"}


def test_a_chart_turns_into_a_table(server: Server, browser: webdriver.Chrome) -> None:
    open_page(server, browser, "#runs=1,3")
    find(browser, "#chart-rate header button").click()
    cells = browser.find_elements(By.CSS_SELECTOR, "#chart-rate .data :is(th, td)")
    told = [cell.text for cell in cells]
    assert told == [
        *("At a time", "quick", "slow"),
        *("1", "20", "4", "8", "90", NOTHING, "32", NOTHING, "16"),
    ]


def test_the_page_of_a_run_has_its_charts_and_its_pairs(
    server: Server, browser: webdriver.Chrome
) -> None:
    open_page(server, browser, "4/change/")
    assert series(browser) == {"beside": "90", "against 127.0.0.1:8081": "72"}
    assert "1.25" in find(browser, ".bench-pairs tfoot").text


@pytest.mark.parametrize("page", ["", "4/change/"])
def test_it_fits_a_phone_and_keeps_its_own_policy(
    server: Server, browser: webdriver.Chrome, page: str
) -> None:
    browser.get_log("browser")
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    try:
        open_page(server, browser, page)
        width = "return document.documentElement.scrollWidth"
        assert browser.execute_script(width) == PHONE["width"]
        find(browser, ".theme-toggle").click()
        assert browser.find_elements(By.CSS_SELECTOR, "#chart-rate canvas")
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert [entry["message"] for entry in browser.get_log("browser")] == []
