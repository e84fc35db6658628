"""What the chat page keeps in the browser."""

from __future__ import annotations

import pytest

from tests.e2e.chat_page import ANSWER, COUNT, PATIENCE_S, ChatPage
from tests.e2e.servers import wait_until

pytestmark = pytest.mark.slow


def test_a_reload_keeps_the_conversation_and_a_new_chat_keeps_the_old_one(
    page: ChatPage,
) -> None:
    page.set("system", "Be brief.")
    page.set("temperature", 0.5)
    answer = page.ask(COUNT)
    stats = page.text(f"{ANSWER} .stats")
    page.open()
    assert page.text(".turn.user .typed") == COUNT
    assert page.text(f"{ANSWER} .said") == answer
    assert page.text(f"{ANSWER} .stats") == stats
    assert page.one("#p-system").get_attribute("value") == "Be brief."
    assert page.one("#p-temperature").get_attribute("value") == "0.5"
    page.click("#new")
    assert page.count(".turn") == 0
    page.ask("Hello")
    page.click("#list-button")
    titles = "return [...document.querySelectorAll('#chats b')].map(b => b.textContent)"
    assert page.run(titles) == ["Hello", COUNT]
    page.click("#chats li:nth-child(2) .open")
    assert page.text(".turn.user .typed") == COUNT
    # Deleting asks once more, in place; also one that is being answered is gone then.
    page.choose("rambler")
    page.set("max_tokens", 100_000)
    page.set("temperature", 0)
    page.say("Go on")
    page.wait_text()
    page.run("document.activeElement.blur()")
    assert page.run(titles) == [COUNT, "Hello"]
    delete = "#chats li:first-child [data-deed=delete]"
    page.click(delete)
    assert page.run(titles) == [COUNT, "Hello"]
    page.click(delete)
    assert page.run(titles) == ["Hello"]
    assert page.count(".turn") == 0
    page.open()
    assert page.count(".turn") == 0


def test_what_the_browser_keeps_is_bounded_and_the_oldest_pictures_go_first(
    page: ChatPage,
) -> None:
    page.run(
        """
        const [count, chars] = arguments;
        for (let i = 0; i < count; i += 1) {
            const image = {url: 'data:image/png;base64,' + 'A'.repeat(chars), name: 'p'};
            const turns = [{role: 'user', text: `old ${i}`, images: [image]}];
            const kept = {id: `old${i}`, at: 1000 + i, model: '', parameters: {}, turns};
            localStorage.setItem(`mlx.chat.old${i}`, JSON.stringify(kept));
        }
        """,
        58,
        85_000,
    )
    page.open()
    page.set("max_tokens", 2)
    page.ask("newest")
    kept = page.run(
        "return Object.keys(localStorage).filter(n => n.startsWith('mlx.chat.'))"
        ".map(n => JSON.parse(localStorage.getItem(n))).sort((a, b) => a.at - b.at)"
        ".map(c => [c.turns[0].text, c.turns[0].images.length])"
    )
    assert [text for text, _ in kept] == [
        *(f"old {i}" for i in range(9, 58)),
        "newest",
    ]
    pictures = [count for text, count in kept if text != "newest"]
    assert pictures == sorted(pictures)
    assert (pictures[0], pictures[-1]) == (0, 1)
    page.click("#list-button")
    page.run("document.querySelector('[data-id=old9] .open').click()")
    assert "A picture is no longer kept." in page.text(".turn.user")
    # Its own pictures go before others are gone altogether.
    page.run(
        """
        const kept = JSON.parse(localStorage.getItem('mlx.chat.old57'));
        kept.turns[0].images[0].url += 'A'.repeat(3_990_000);
        return import('/static/mlxsite/chat/store.js').then((s) => s.save(kept));
        """
    )
    page.open()
    assert page.count("#chats li") == 50
    mine = "return localStorage.getItem('mlx.chat.old57').length"
    assert page.run(mine) < 1000
    page.click("#forget-all")
    page.click("#forget-all")
    wait_until(lambda: page.count("#chats li") == 0, "an empty list", PATIENCE_S)
    assert page.run("return Object.keys(localStorage).join()").count("mlx.chat") == 0


def test_two_tabs_of_one_conversation_do_not_lose_each_others_turns(
    page: ChatPage,
) -> None:
    page.ask("one")
    first = page.driver.current_window_handle
    page.driver.switch_to.new_window("tab")
    page.open()
    page.ask("two")
    page.driver.switch_to.window(first)
    wait_until(lambda: page.count(".turn") == 4, "the other tab's turns", PATIENCE_S)
    page.ask("three")
    page.open()
    typed = "return [...document.querySelectorAll('.turn.user .typed')].map(e => e.textContent)"
    assert page.run(typed) == ["one", "two", "three"]
