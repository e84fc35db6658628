"""Who may chat in the browser where keys are required, and what a lost server looks like."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httpx
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.browsers import every_text, log_in
from tests.e2e.chat_page import ANSWER, PATIENCE_S, ChatPage
from tests.e2e.servers import Server, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from selenium.webdriver import Chrome

    from tests.e2e.conftest import StartServer

pytestmark = pytest.mark.slow

KEY = "sesame-and-a-long-text-behind-it"
COUNT = "Count to twenty."


@pytest.fixture(scope="module")
def locked(
    tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server that asks for a key."""
    data = tmp_path_factory.mktemp("locked") / "data"
    server = Server(data, tiny_model_dir, MLX_API_KEY=KEY)
    yield server.wait_ready()
    server.kill()


def try_key(page: ChatPage, key: str) -> None:
    page.one("#key").send_keys(key, Keys.ENTER)


def all_rows(server: Server) -> list[dict[str, object]]:
    return list(server.rows().values())


def ended_row(server: Server, key_name: str) -> dict[str, object]:
    """Return the row of the one who came in under this name, once it has ended."""

    def look() -> list[dict[str, object]]:
        rows = all_rows(server)
        mine = [row for row in rows if row["key_name"] == key_name]
        return [row for row in mine if row["outcome"] != "running"]

    return wait_until(look, f"a row of {key_name}", PATIENCE_S)[0]


def test_a_stranger_gets_in_with_the_key_that_is_typed_and_with_no_other(
    locked: Server, browser: Chrome
) -> None:
    before = locked.count_rows()
    page = ChatPage(browser, locked.base_url).open(connected=False)
    gate = page.one("#gate")
    wait_until(gate.is_displayed, "the question for a key", PATIENCE_S)
    assert "tiny" not in page.text("body")
    assert page.focused == "key"
    # Who only looks leaves no row.
    assert len(all_rows(locked)) == before

    try_key(page, "wrong")
    wait_until(lambda: page.text("#gate-why") != "", "a word", PATIENCE_S)
    assert page.text("#gate-why") == "Incorrect API key provided."
    assert page.run("return sessionStorage.getItem('mlx.key')") is None

    try_key(page, KEY)
    page.wait_connected()
    assert not gate.is_displayed()
    assert page.ask(COUNT).startswith("one two")
    assert ended_row(locked, "api_key")["outcome"] == "finished"
    assert len(locked.wait_rows(before + 2)) == before + 2
    # It is kept for this tab alone, and is in no address.
    assert KEY in str(page.run("return JSON.stringify(sessionStorage)"))
    assert KEY not in str(page.run("return JSON.stringify(localStorage)"))
    loaded = "return performance.getEntries().map(e => e.name).join(' ')"
    assert KEY not in page.run(loaded) + browser.current_url + page.text("body")
    page.open()
    assert not page.one("#gate").is_displayed()
    browser.switch_to.new_window("tab")
    page.open(connected=False)
    wait_until(page.one("#gate").is_displayed, "the question for a key", PATIENCE_S)
    assert KEY not in locked.output()


def test_staff_chat_by_their_session_until_they_log_out(
    locked: Server, browser: Chrome
) -> None:
    log_in(browser, locked, page="/chat/")
    page = ChatPage(browser, locked.base_url)
    page.wait_connected()
    assert not page.one("#gate").is_displayed()
    assert page.ask(COUNT).startswith("one two")
    row = ended_row(locked, "staff:admin")
    assert row["outcome"] == "finished"
    # Staff can look at what the record keeps of it.
    href = page.one(f"{ANSWER} .stats a").get_attribute("href")
    assert str(href).endswith(f"/admin/metrics/requestlog/?q={row['request_id']}")
    browser.get(str(href))
    found = browser.find_elements(By.CSS_SELECTOR, "#result_list tbody tr")
    assert len(found) == 1

    page.open()
    browser.find_element(By.ID, "say").send_keys("And now?")
    page.run("window.stayed = true")
    log_out(browser, locked)
    # The page notices by itself, and keeps what was being written.
    wait_until(page.one("#gate").is_displayed, "the question for a key", PATIENCE_S)
    assert "You didn't provide an API key" in page.text("#gate-why")
    try_key(page, KEY)
    page.wait_connected()
    page.one("#say").send_keys(Keys.ENTER)
    wait_until(lambda: page.count(".turn") == 4, "an answer", PATIENCE_S)
    page.wait_end()
    assert page.text(".turn.user:nth-last-child(2) .typed") == "And now?"
    assert page.run("return window.stayed") is True


def test_a_question_after_logging_out_is_refused_in_the_servers_words_and_kept(
    locked: Server, browser: Chrome
) -> None:
    log_in(browser, locked, page="/chat/")
    page = ChatPage(browser, locked.base_url)
    page.wait_connected()
    # Not to notice before it asks: a page that nobody sees does not look.
    page.run("Object.defineProperty(document, 'hidden', {value: true})")
    log_out_elsewhere(browser, locked)
    page.say("And now?")
    wait_until(page.one("#gate").is_displayed, "the question for a key", PATIENCE_S)
    assert "You didn't provide an API key" in page.text(f"{ANSWER} .failed")
    assert page.text(".turn.user .typed") == "And now?"
    try_key(page, KEY)
    page.wait_connected()
    page.click(f"{ANSWER} [data-deed=again]")
    wait_until(lambda: page.text(f"{ANSWER} .said") != "", "an answer", PATIENCE_S)


def log_out_elsewhere(browser: Chrome, server: Server) -> None:
    """End the browser's session without the page."""
    names = ("sessionid", "csrftoken")
    cookies = {
        name: (browser.get_cookie(name) or {}).get("value", "") for name in names
    }
    with httpx.Client(base_url=server.base_url, cookies=cookies) as client:
        page = client.get("/admin/")
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
        assert token, page.text
        form = {"csrfmiddlewaretoken": token[1]}
        assert client.post("/admin/logout/", data=form).status_code == 200


def log_out(browser: Chrome, server: Server) -> None:
    """Log out in another tab, and come back."""
    chat = browser.current_window_handle
    browser.switch_to.new_window("tab")
    browser.get(f"{server.base_url}/admin/")
    browser.find_element(By.CSS_SELECTOR, "#logout-form button").click()
    wait_until(lambda: "/logout/" in browser.current_url, "the way out", PATIENCE_S)
    browser.close()
    browser.switch_to.window(chat)


def test_a_server_that_is_killed_in_mid_answer_is_said_and_found_again(
    start_server: StartServer, rambler_dir: Path, browser: Chrome
) -> None:
    server = start_server(rambler_dir).wait_ready()
    page = ChatPage(browser, server.base_url).open()
    page.set("temperature", 0)
    page.set("max_tokens", 100_000)
    page.say("Hello")
    page.wait_text()
    page.run("window.stayed = true")
    server.kill()
    kept = page.wait_end()
    assert kept != ""
    assert page.text(f"{ANSWER} .failed") == "No connection: the answer was cut off."
    wait_until(lambda: "trying again" in page.text("#link"), "a word", PATIENCE_S)
    page.say("Are you there?")
    assert "no connection" in page.text("#notice")
    assert page.one("#say").get_attribute("value") == "Are you there?"

    again = start_server(rambler_dir, "--port", str(server.port))
    again.port, again.base_url = server.port, server.base_url
    again.wait_ready()
    page.wait_connected()
    assert page.text("#link") == "connected again"
    assert page.run("return window.stayed") is True
    assert page.text(f"{ANSWER} .said") == kept
    page.set("max_tokens", 5)
    page.click(f"{ANSWER} [data-deed=again]")
    wait_until(lambda: page.text(f"{ANSWER} .failed") == "", "an answer", PATIENCE_S)
    assert page.wait_end() != ""
    ends = {row["reason"]: row["outcome"] for row in again.wait_rows(2).values()}
    assert ends["crash"] == "interrupted"

    # One that is ended in order says so, until the page tries again.
    told = every_text(browser, "#link")
    assert again.stop() == 0
    said = "the server shut down, trying again"
    wait_until(lambda: said in told(), "a word", PATIENCE_S)


def test_an_answer_that_a_shutdown_ends_says_so_in_the_servers_words(
    start_server: StartServer, rambler_dir: Path, browser: Chrome
) -> None:
    server = start_server(rambler_dir, DRAIN_TIMEOUT="0").wait_ready()
    page = ChatPage(browser, server.base_url).open()
    page.set("temperature", 0)
    page.set("max_tokens", 100_000)
    page.say("Hello")
    page.wait_text()
    assert server.stop() == 0
    page.wait_end()
    assert page.text(f"{ANSWER} .failed") == "The server shut down before the end."


def test_a_page_that_is_left_in_mid_answer_keeps_what_had_come(
    start_server: StartServer, rambler_dir: Path, browser: Chrome
) -> None:
    server = start_server(rambler_dir).wait_ready()
    page = ChatPage(browser, server.base_url).open()
    page.set("temperature", 0)
    page.set("max_tokens", 100_000)
    page.say("Hello")
    page.wait_text()
    page.open()
    assert page.text(f"{ANSWER} .said") != ""
    assert "closed before the answer ended" in page.text(f"{ANSWER} .failed")
    server.wait_idle(within_s=20)  # long before it would have ended by itself


def test_a_model_that_is_not_in_memory_is_loaded_when_it_is_asked(
    start_server: StartServer, tiny_model_dir: Path, browser: Chrome
) -> None:
    server = start_server(tiny_model_dir).wait_ready()
    server.client().post(
        "/models/unload", body={"key": "tiny-qwen2-vl"}, cast_to=object
    )
    page = ChatPage(browser, server.base_url).open()
    assert "loads on first use" in page.text("#model")
    assert page.text("#model-state") == "unloaded"
    # Every word that stood in the place of the answer, however briefly.
    page.run(
        "window.words = []; new MutationObserver(() => { const w = document"
        ".querySelector('.waiting')?.textContent; if (w) window.words.push(w); })"
        ".observe(document.getElementById('turns'), "
        "{subtree: true, childList: true, characterData: true})"
    )
    assert page.ask(COUNT).startswith("one two")
    assert page.run("return window.words.length") > 0
    wait_until(
        lambda: page.text("#model-state") == "ready", "the model's state", PATIENCE_S
    )
