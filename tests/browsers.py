"""The browser of tests of pages: Chromium without a window, and its way in."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from selenium import webdriver
from selenium.webdriver.common.by import By

from tests.e2e.servers import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from selenium.webdriver.remote.webdriver import WebDriver

    from tests.e2e.servers import Server


@contextmanager
def open_browser(*options: str) -> Iterator[webdriver.Chrome]:
    """Run a browser of a laptop's size for the length of a block."""
    chosen = webdriver.ChromeOptions()
    for option in ("--headless=new", "--no-sandbox", "--window-size=1440,1000"):
        chosen.add_argument(option)
    for option in options:
        chosen.add_argument(option)
    chosen.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(executable_path=shutil.which("chromedriver"))
    driver = webdriver.Chrome(options=chosen, service=service)
    try:
        yield driver
    finally:
        driver.quit()


def every_text(driver: WebDriver, selector: str) -> Callable[[], list[str]]:
    """Return what tells all that an element says from now on, however briefly."""
    driver.execute_script(
        "const e = document.querySelector(arguments[0]); const texts = [];"
        "(window.texts ??= {})[arguments[0]] = texts;"
        "new MutationObserver(() => texts.push(e.textContent.trim()))"
        ".observe(e, {subtree: true, childList: true, characterData: true})",
        selector,
    )

    def told() -> list[str]:
        script = "return window.texts[arguments[0]]"
        found: list[str] = driver.execute_script(script, selector)
        return found

    return told


def show_at(driver: WebDriver, width: int, *, height: int = 800) -> None:
    """Show the page as on a device of this width; return once it is so wide."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": True}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    script = "return screen.width"
    wait_until(lambda: driver.execute_script(script) == width, f"a width of {width}")


def log_in(driver: webdriver.Chrome, server: Server, *, page: str = "") -> None:
    """Log in as the first staff user, and go on to `page`."""
    query = f"?next={page}" if page else ""
    driver.get(f"{server.base_url}/admin/login/{query}")
    driver.find_element(By.NAME, "username").send_keys("admin")
    driver.find_element(By.NAME, "password").send_keys(server.password())
    driver.find_element(By.CSS_SELECTOR, "input[type=submit]").click()
    # Who goes elsewhere before the answer is there is not logged in.
    wait_until(lambda: "/admin/login/" not in driver.current_url, "the way in")
