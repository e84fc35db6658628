"""The chat page by keyboard, by touch, by ear, and at every width."""

from __future__ import annotations

import pytest
from selenium.webdriver.common.keys import Keys

from tests.browsers import show_at
from tests.e2e.chat_page import COUNT, HOSTILE, PATIENCE_S, ChatPage
from tests.e2e.servers import wait_until

pytestmark = pytest.mark.slow

WIDTHS = (1440, 820, 390, 320)


def test_it_is_used_with_the_keyboard_alone(page: ChatPage) -> None:
    page.press("one", Keys.SHIFT + Keys.ENTER)
    page.press("two")
    assert page.one("#say").get_attribute("value") == "one\ntwo"
    page.press(Keys.ENTER)
    page.wait_end()
    assert page.text(".turn.user .typed") == "one\ntwo"
    assert page.focused == "say"
    page.press(Keys.ENTER)
    assert page.count(".turn") == 2
    seen = []
    for _ in range(20):
        page.press(Keys.SHIFT + Keys.TAB)
        ring = page.run(
            "const e = document.activeElement; const s = getComputedStyle(e);"
            "return [e.id || e.dataset.deed || e.textContent.trim(), s.outlineStyle]"
        )
        seen.append(ring[0])
        assert ring[1] != "none", ring
        if ring[0] == "list-button":
            break
    wanted = ["copy", "again", "copy", "edit", "log", "parameters-button", "new"]
    assert seen == [*wanted, "model", "list-button"]
    page.press(Keys.ENTER)
    assert page.one("#list").is_displayed()
    page.press(Keys.ESCAPE)
    assert not page.one("#list").is_displayed()
    assert page.focused == "list-button"


def test_everything_has_a_name_for_those_who_hear_it(page: ChatPage) -> None:
    page.ask(COUNT)
    for button in ("#parameters-button", "#list-button"):
        page.click(button)
    page.driver.execute_cdp_cmd("Accessibility.enable", {})
    tree = page.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    asked = ("button", "link", "textbox", "spinbutton", "combobox", "textField")
    nodes = [n for n in tree if n.get("role", {}).get("value") in asked]
    assert len(nodes) > 25
    nameless = [n for n in nodes if not n.get("name", {}).get("value")]
    assert nameless == []
    roles = {n.get("role", {}).get("value") for n in tree}
    assert {"log", "status", "main", "navigation", "banner"} <= roles


def test_it_fits_every_width_in_light_and_in_dark(page: ChatPage) -> None:
    page.set("more", {"guided_choice": [HOSTILE + "\n\n" + "x" * 300]})
    page.set("max_tokens", 2000)
    page.ask("long " * 40)
    for width in WIDTHS:
        show_at(page.driver, width)
        for theme in ("light", "dark"):
            page.run("document.documentElement.dataset.theme = arguments[0]", theme)
            wide = page.run("return document.documentElement.scrollWidth")
            assert wide <= width, (width, theme)
            inside = "const l = document.getElementById('log'); return l.scrollWidth - l.clientWidth"
            assert page.run(inside) <= 0, (width, theme)
            assert page.one("#send").is_displayed()


def test_on_a_touch_screen_enter_breaks_the_line_and_drawers_give_way(
    page: ChatPage,
) -> None:
    show_at(page.driver, 390)
    touch = {"enabled": True, "maxTouchPoints": 1}
    page.driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", touch)
    page.open()
    page.one("#say").send_keys("one", Keys.ENTER, "two")
    assert page.count(".turn") == 0
    page.click("#send")
    page.wait_end()
    assert page.text(".turn.user .typed") == "one\ntwo"
    page.click("#parameters-button")
    assert page.one("#parameters").is_displayed()
    page.run("document.getElementById('log').click()")
    assert not page.one("#parameters").is_displayed()
    page.click("#list-button")
    page.click("#chats .open")
    assert not page.one("#list").is_displayed()


def test_a_long_answer_is_followed_until_somebody_reads_back(page: ChatPage) -> None:
    page.ask_the_rambler()
    gap = "const l = document.getElementById('log'); return l.scrollHeight - l.clientHeight - l.scrollTop"
    height = "const l = document.getElementById('log'); return l.scrollHeight - l.clientHeight"
    wait_until(lambda: page.run(height) > 400, "a long answer", PATIENCE_S)
    wait_until(lambda: page.run(gap) < 60, "the end of it", PATIENCE_S)
    page.run("document.getElementById('log').scrollTop = 0")
    wait_until(lambda: page.one("#jump").is_displayed(), "a way back", PATIENCE_S)
    tall = page.run(height)
    wait_until(lambda: page.run(height) > tall, "more of it", PATIENCE_S)
    assert page.run("return document.getElementById('log').scrollTop") == 0
    page.click("#jump")
    wait_until(lambda: page.run(gap) < 60, "the end of it", PATIENCE_S)
    page.press(Keys.ESCAPE)
    page.wait_end()
