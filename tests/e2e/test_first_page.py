"""The page at `/` in a browser, over a real server as its models come and go."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.browsers import every_text, log_in, show_at
from tests.e2e.servers import Server, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from selenium.webdriver import Chrome

    from tests.e2e.conftest import StartServer

pytestmark = pytest.mark.slow

PATIENCE_S = 90.0
KEY = "sesame-and-a-long-text-behind-it"
TABS = ["curl", "python", "javascript"]


@pytest.fixture(scope="module")
def locked(
    tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server that asks for a key."""
    running = Server(
        tmp_path_factory.mktemp("locked") / "data", tiny_model_dir, MLX_API_KEY=KEY
    )
    yield running.wait_ready()
    running.kill()


def text_of(browser: Chrome, selector: str) -> str:
    # Found and read at once: the page changes by itself.
    script = "return document.querySelector(arguments[0])?.innerText.trim() ?? ''"
    return str(browser.execute_script(script, selector))


def see(browser: Chrome, says: str) -> None:
    """Wait for a headline, on the page that was opened at first."""
    wait_until(lambda: text_of(browser, "h1") == says, says, PATIENCE_S)
    assert browser.execute_script("return window.stayed") is True


def visit(browser: Chrome, server: Server) -> None:
    browser.get(f"{server.base_url}/")
    browser.execute_script("window.stayed = true")


def begun_worker(server: Server) -> int:
    """Return the process of the model as soon as its program runs."""
    ours = ("-P", str(server.process.pid), "-f", "inference.engine.worker.main")

    def look() -> list[str]:
        found = subprocess.run(["pgrep", *ours], capture_output=True, text=True)
        return found.stdout.split()

    (worker,) = wait_until(look, "the model's process")
    return int(worker)


def test_it_says_by_itself_when_the_model_is_there_is_gone_and_cannot_be_had(
    start_server: StartServer, smollm2_dir: Path, browser: Chrome
) -> None:
    server = start_server(smollm2_dir, ALLOW_ON_DEMAND="0", QUARANTINE_AFTER="1")
    # It is loading for as long as it takes to look.
    worker = begun_worker(server)
    os.kill(worker, signal.SIGSTOP)
    server.wait_listening()
    key = smollm2_dir.name
    visit(browser, server)
    assert text_of(browser, "h1") == f"{key} is loading."
    assert "requests wait until the model is there" in text_of(
        browser, ".server-status"
    )
    os.kill(worker, signal.SIGCONT)
    see(browser, "Your server is ready.")
    assert text_of(browser, "#told") == "Your server is ready."
    assert f'"model": "{key}"' in text_of(browser, "#code-curl")

    client = server.client()
    client.post("/models/unload", body={"key": key}, cast_to=object)
    see(browser, "There is no model yet.")
    assert "mlx-server load" in text_of(browser, ".server-status")
    client.post("/models/load", body={"model": key}, cast_to=object)
    see(browser, "Your server is ready.")

    (worker,) = server.worker_pids()
    os.kill(worker, signal.SIGKILL)
    see(browser, f"{key} cannot answer.")
    assert text_of(browser, '.chip[data-m="quarantined"]') == "quarantined"
    assert "mlx-server load" in text_of(browser, ".server-status")

    server.kill()
    lost = "the server does not answer; trying again"
    wait_until(lambda: text_of(browser, "#link") == lost, lost, PATIENCE_S)


def test_its_programs_run_as_they_stand(locked: Server, browser: Chrome) -> None:
    before = locked.count_rows()
    log_in(browser, locked)
    visit(browser, locked)
    environment = {**os.environ, "MLX_API_KEY": KEY}
    shown = {}
    for name in TABS:
        browser.find_element(By.ID, f"tab-{name}").click()
        shown[name] = text_of(browser, f"#code-{name}")
        assert KEY not in browser.page_source
    asked = subprocess.run(
        shown["curl"], shell=True, env=environment, capture_output=True, text=True
    )
    assert '"object":"chat.completion"' in asked.stdout, asked.stdout + asked.stderr
    asked = subprocess.run(
        [sys.executable, "-c", shown["python"]],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert asked.returncode == 0, asked.stderr
    assert asked.stdout != ""
    rows = list(locked.wait_rows(before + 2).values())[before:]
    assert [(row["outcome"], row["key_name"]) for row in rows] == [
        ("finished", "api_key")
    ] * 2


def test_a_stranger_sees_that_a_key_is_needed_and_no_model(
    locked: Server, browser: Chrome
) -> None:
    before = locked.count_rows()
    visit(browser, locked)
    assert text_of(browser, "h1") == "Your server is ready."
    assert "A key is needed." in text_of(browser, "#key-note")
    assert "tiny-qwen2-vl" not in browser.page_source
    assert KEY not in browser.page_source
    assert len(locked.rows()) == before


def test_its_tabs_and_buttons_work_with_the_keyboard(
    start_server: StartServer, tiny_model_dir: Path, browser: Chrome
) -> None:
    server = start_server(tiny_model_dir).wait_ready()
    visit(browser, server)
    shown = "return [...document.querySelectorAll('[role=tabpanel]')].filter(p => !p.hidden).map(p => p.id)"
    assert browser.execute_script(shown) == ["snippet-curl"]
    browser.find_element(By.ID, "tab-curl").click()
    for name in ("python", "javascript", "terminal", "curl"):
        browser.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
        assert browser.switch_to.active_element.get_attribute("id") == f"tab-{name}"
        assert browser.execute_script(shown) == [f"snippet-{name}"]
    # The choice is kept, also when the page asks for itself again.
    browser.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    server.client().post(
        "/models/unload", body={"key": "tiny-qwen2-vl"}, cast_to=object
    )
    wait_until(
        lambda: "No model is in memory" in text_of(browser, ".server-status"),
        "the newest state",
        PATIENCE_S,
    )
    assert browser.execute_script(shown) == ["snippet-python"]

    browser.execute_cdp_cmd(
        "Browser.grantPermissions",
        {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]},
    )
    told = every_text(browser, "[data-copy=base]")
    button = browser.find_element(By.CSS_SELECTOR, "[data-copy=base]")
    button.send_keys(Keys.ENTER)
    wait_until(lambda: "Copied" in told(), "the copy", PATIENCE_S)
    read = "const done = arguments[0]; navigator.clipboard.readText().then(done)"
    assert browser.execute_async_script(read) == f"{server.base_url}/v1"
    # A page on a network without HTTPS has no such clipboard, and copies all the same.
    browser.execute_script(
        "Object.defineProperty(navigator, 'clipboard', {value: undefined})"
    )
    told = every_text(browser, "[data-copy=code-python]")
    button = browser.find_element(By.CSS_SELECTOR, "[data-copy=code-python]")
    button.send_keys(Keys.ENTER)
    wait_until(lambda: "Copied" in told(), "the copy", PATIENCE_S)
    assert browser.switch_to.active_element == button
    assert browser.get_log("browser") == []


def test_it_fits_every_width_in_light_and_in_dark(
    tiny_server: Server, browser: Chrome
) -> None:
    visit(browser, tiny_server)
    for width in (1440, 820, 390, 320):
        show_at(browser, width)
        for theme in ("light", "dark"):
            script = "document.documentElement.dataset.theme = arguments[0]"
            browser.execute_script(script, theme)
            wide = browser.execute_script("return document.documentElement.scrollWidth")
            assert wide <= width, (width, theme)
    # The choice of a theme is the admin's own, and travels there.
    browser.find_element(By.CSS_SELECTOR, ".theme-toggle").click()
    chosen = browser.execute_script("return localStorage.getItem('theme')")
    browser.get(f"{tiny_server.base_url}/admin/")
    seen = browser.execute_script("return document.documentElement.dataset.theme")
    assert seen == chosen
