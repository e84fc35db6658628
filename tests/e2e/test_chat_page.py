"""The chat page in a browser, over a real server with real models."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest
from selenium.webdriver.common.keys import Keys

from tests.browsers import open_browser
from tests.e2e.chat_page import ANSWER, PATIENCE_S, ChatPage
from tests.e2e.servers import Server, wait_until
from tests.pictures import ONE, encoded, pixels

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

WIDTHS = (1440, 820, 390, 320)
COUNT = "Count to twenty."
# Every way out of a text that a browser knows, in one answer.
HOSTILE = """Hi <script>window.caught = 1</script>

<img src=x onerror="window.caught = 2"> <svg onload="window.caught = 3">

[press](javascript:window.caught=4) [data](data:text/html,<script>1</script>) \
[file](file:///etc/passwd) [good](https://example.org/a "title") <https://example.org/b>

![beacon](/health?beacon) ![js](javascript:window.caught=5)

<iframe src="/admin/"></iframe><form action="/admin/logout/"><input name=x></form>
<style>body { display: none }</style><div class="gate" style="position:fixed">dressed up</div>

| a | b |
|--:|:-:|
| 1 | <b onmouseover="window.caught = 6">2</b> |

```html
<script>window.caught = 7</script>
```
"""


@pytest.fixture(scope="module")
def server(
    tiny_model_dir: Path,
    rambler_dir: Path,
    thinker_dir: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    """A model that answers, one that never ends and one that thinks."""
    data = tmp_path_factory.mktemp("chat") / "data"
    more = ("--model-path", str(rambler_dir), "--model-path", str(thinker_dir))
    running = Server(data, tiny_model_dir, *more)
    yield running.wait_ready()
    running.kill()


@pytest.fixture
def page(server: Server) -> Iterator[ChatPage]:
    """The page in a browser that has never been there."""
    with open_browser("--disable-gpu") as driver:
        yield ChatPage(driver, server.base_url).open()


def test_an_answer_streams_in_and_leaves_its_row(
    server: Server, page: ChatPage
) -> None:
    before = server.count_rows()
    assert page.focused == "say"
    answer = page.ask(COUNT)
    assert answer.startswith("one two three")
    assert answer.endswith("nineteen twenty")
    stats = page.text(f"{ANSWER} .stats")
    row = list(server.wait_rows(before + 1).values())[-1]
    assert f"{row['completion_tokens']} tokens" in stats
    assert "first after" in stats
    assert (row["endpoint"], row["outcome"]) == ("/ws/chat", "finished")
    tags = row["tags"] if isinstance(row["tags"], dict) else json.loads(row["tags"])
    assert tags["client"] == "chat page"
    assert row["session_id"] == tags["session_id"] != ""
    assert "nineteen twenty" in page.text("#told")
    used = row["prompt_tokens"] + row["completion_tokens"]
    assert page.text("#context") == f"{used} of 2,048 tokens"
    # The next question carries the conversation.
    page.ask("Again!")
    later = list(server.wait_rows(before + 2).values())[-1]
    assert later["prompt_tokens"] > row["prompt_tokens"] + row["completion_tokens"]
    assert later["session_id"] == row["session_id"]
    assert page.complaints() == []


def ask_the_rambler(page: ChatPage) -> None:
    """Begin an answer that does not end by itself."""
    page.choose("rambler")
    page.set("max_tokens", 100_000)
    page.set("temperature", 0)
    page.say("Hello")


@pytest.mark.parametrize("how", ["button", "escape"])
def test_it_stops_and_keeps_what_was_said(
    server: Server, page: ChatPage, how: str
) -> None:
    before = server.count_rows()
    ask_the_rambler(page)
    wait_until(lambda: "tok/s" in page.text(f"{ANSWER} .stats"), "speed", PATIENCE_S)
    shown = page.text(f"{ANSWER} .said")
    if how == "button":
        page.click("#stop")
    else:
        page.press(Keys.ESCAPE)
    kept = page.wait_end()
    assert kept.startswith(shown[:20])
    assert "stopped" in page.text(f"{ANSWER} .stats")
    assert "tok/s" in page.text(f"{ANSWER} .stats")
    row = list(server.wait_rows(before + 1).values())[-1]
    assert (row["outcome"], row["reason"]) == ("cancelled", "cancelled_by_client")
    # The connection is good for the next question.
    page.choose("tiny-qwen2-vl")
    page.set("max_tokens", "")
    page.set("temperature", "")
    assert page.focused == "say"
    assert page.ask(COUNT) != ""


def test_an_answer_can_neither_run_load_nor_dress_up_as_the_page(
    page: ChatPage,
) -> None:
    page.set("more", {"guided_choice": [HOSTILE]})
    page.set("max_tokens", 2000)
    page.ask("Be hostile.")
    said = f"{ANSWER} .said"
    assert "<script>window.caught = 1</script>" in page.text(said)
    assert "<img src=x onerror=" in page.text(said)
    assert page.run("return window.caught") is None
    unwanted = "script, img, svg, iframe, form, input, style, object, [style], [onload]"
    for name in unwanted.split(", "):
        assert page.count(f"{said} {name}") == 0, name
    links = "return [...document.querySelectorAll(arguments[0])].map(a => a.href)"
    found = page.run(links, f"{said} a")
    assert found == ["https://example.org/a", "https://example.org/b"]
    apart = "return [...document.querySelectorAll(arguments[0])].map(a => [a.rel, a.target])"
    assert page.run(apart, f"{said} a") == [["noopener noreferrer", "_blank"]] * 2
    classes = (
        "return [...document.querySelectorAll(arguments[0])].map(e => e.className)"
    )
    assert set(page.run(classes, f"{said} table [class]")) == {"n", "mid"}
    # The program in it is shown as one, to be copied.
    assert page.text(f"{said} .code .code-bar span") == "html"
    assert page.text(f"{said} pre") == "<script>window.caught = 7</script>"
    loaded = page.run(
        "return performance.getEntriesByType('resource').map(e => e.name)"
    )
    assert not [name for name in loaded if "beacon" in name or "example" in name]
    assert page.complaints() == []
    # Nor after a reload, when it comes from what the browser keeps.
    page.open()
    assert "<script>window.caught = 1</script>" in page.text(said)
    assert page.run("return window.caught") is None
    assert page.complaints() == []


ARTICLE = """# Title

First *paragraph*, with `code`
and a second line.

1. one

   more of one
2. two
   - nested

| a | b |
|---|--:|
| 1 | 2 |

```python
x = 1

y = "```"
```

> quoted

***

Last <b>words</b> &amp; https://example.org/x."""


@pytest.mark.parametrize("text", [ARTICLE, HOSTILE])
def test_a_text_that_grew_looks_like_the_whole_one(page: ChatPage, text: str) -> None:
    script = """
        const [text, done] = arguments;
        const shapes = (root) => [...root.children].map((e) => e.outerHTML);
        import('/static/mlxsite/chat/markdown.js').then(({Growing, rendered}) => {
            const grown = document.createElement('div');
            const growing = new Growing(grown);
            let kept = true;
            let first = null;
            for (let end = 1; end <= text.length; end += 1) {
                growing.set(text.slice(0, end));
                if (end > 40) {
                    first ||= grown.firstElementChild;
                    kept &&= first === grown.firstElementChild;
                }
            }
            const whole = document.createElement('div');
            whole.append(rendered(text));
            done([shapes(grown), shapes(whole), kept]);
        });
    """
    grown, whole, kept = page.driver.execute_async_script(script, text)
    assert grown == whole
    assert len(whole) > 5
    # What was complete was drawn once: a selection in it stays.
    assert kept


def test_what_people_type_is_shown_as_it_is(page: ChatPage) -> None:
    page.set("max_tokens", 1)
    page.ask("<b>bold</b> <img src=x onerror='window.caught = 1'> **stars**")
    typed = page.text(".turn.user .typed")
    assert typed == "<b>bold</b> <img src=x onerror='window.caught = 1'> **stars**"
    assert page.run("return window.caught") is None


def test_a_picture_is_chosen_pasted_or_dropped_and_seen(
    server: Server, page: ChatPage, tmp_path: Path
) -> None:
    before = server.count_rows()
    page.set("temperature", 0)
    file = tmp_path / "blue.png"
    file.write_bytes(encoded(pixels("blue", 4).resize((2400, 1200))))
    page.attach(file)
    wait_until(lambda: page.count("#tray img") == 1, "the picture", PATIENCE_S)
    assert "2400 \N{MULTIPLICATION SIGN} 1200" in page.text("#tray")
    assert page.ask(ONE) == "blue"
    assert page.count("#tray img") == 0
    assert page.count(".turn.user .pictures img") == 1
    size = "const i = arguments[0]; return [i.naturalWidth, i.naturalHeight]"
    assert page.run(size, page.one(".pictures img")) == [1280, 640]
    row = list(server.wait_rows(before + 1).values())[-1]
    assert (row["kind"], row["images"]) == ("vision_stream", 1)

    for how, colour in (("paste", "red"), ("drop", "green")):
        page.click("#new")
        hand_over(page, how, encoded(pixels(colour, 6)), "image/png")
        wait_until(lambda: page.count("#tray img") == 1, "the picture", PATIENCE_S)
        assert page.ask(ONE) == colour
    hand_over(page, "drop", b"words", "text/plain")
    assert page.text("#notice") == "Only pictures can be sent."
    hand_over(page, "paste", b"broken", "image/png")
    wait_until(lambda: "no picture" in page.text("#notice"), "a word", PATIENCE_S)


def hand_over(page: ChatPage, how: str, content: bytes, kind: str) -> None:
    """Paste or drop a file, as the browser tells the page of it."""
    page.run(
        """
        const [how, content, type] = arguments;
        const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
        const transfer = new DataTransfer();
        transfer.items.add(new File([bytes], 'handed over', {type}));
        const told = {bubbles: true, cancelable: true};
        const box = document.getElementById('say');
        box.dispatchEvent(how === 'paste'
            ? new ClipboardEvent('paste', {...told, clipboardData: transfer})
            : new DragEvent('drop', {...told, dataTransfer: transfer}));
        """,
        how,
        base64.b64encode(content).decode(),
        kind,
    )


def test_thinking_is_folded_and_counted(server: Server, page: ChatPage) -> None:
    before = server.count_rows()
    page.choose("thinker")
    page.set("thinking_budget", 12)
    page.set("max_tokens", 40)
    page.say("Think.")
    page.wait_end()
    row = list(server.wait_rows(before + 1).values())[-1]
    thought = page.text(f"{ANSWER} .think summary")
    assert thought.startswith("Thought")
    assert f"{row['reasoning_tokens']} tokens" in thought
    assert page.one(f"{ANSWER} .think").get_attribute("open") is None
    page.click(f"{ANSWER} .think summary")
    assert page.text(f"{ANSWER} .think > div") != ""
    assert "ended at the limit of tokens" in page.text(f"{ANSWER} .stats")


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


def test_a_call_that_a_model_makes_is_shown(page: ChatPage) -> None:
    page.choose("thinker")
    schema = {"type": "object", "properties": {"at": {"enum": ["the sky"]}}}
    look = {"name": "look", "parameters": schema | {"required": ["at"]}}
    tools = [{"type": "function", "function": look}]
    page.set("more", {"tools": tools, "tool_choice": "required"})
    page.set("reasoning_effort", "none")
    page.say("Look up.")
    page.wait_end()
    said = page.text(f"{ANSWER} .calls")
    assert said.startswith("calls look(")
    assert "the sky" in said


def test_on_a_touch_screen_enter_breaks_the_line_and_drawers_give_way(
    page: ChatPage,
) -> None:
    size = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
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


def test_an_answer_is_made_anew_and_a_question_changed(
    server: Server, page: ChatPage
) -> None:
    before = server.count_rows()
    page.ask(COUNT)
    page.ask("More!")
    page.click(f"{ANSWER} [data-deed=again]")
    page.wait_end()
    assert page.count(".turn") == 4
    assert len(server.wait_rows(before + 3)) == before + 3
    page.click(".turn.user [data-deed=edit]")
    assert page.one("#say").get_attribute("value") == COUNT
    assert page.one("#editing").is_displayed()
    page.press(Keys.ESCAPE)
    assert not page.one("#editing").is_displayed()
    page.click(".turn.user [data-deed=edit]")
    page.say(" Please.")
    wait_until(lambda: page.count(".turn") == 2, "a shorter log", PATIENCE_S)
    page.wait_end()
    assert page.text(".turn.user .typed") == f"{COUNT} Please."


def test_what_the_server_refuses_is_said_in_its_words_and_shown_by_name(
    server: Server, page: ChatPage
) -> None:
    page.set("temperature", 3)
    page.say("Hello")
    page.wait_end()
    fault = page.text(f"{ANSWER} .failed")
    assert "temperature" in fault
    assert "2" in fault
    assert page.one("#p-temperature").get_attribute("aria-invalid") == "true"
    page.set("temperature", "")
    page.set("more", {"store": True})
    page.click(f"{ANSWER} [data-deed=again]")
    wait_until(lambda: "store" in page.text(f"{ANSWER} .failed"), "a word", PATIENCE_S)
    page.set("more", {"mirostat": 1})
    page.click(f"{ANSWER} [data-deed=again]")
    wait_until(lambda: page.text(f"{ANSWER} .said") != "", "an answer", PATIENCE_S)
    page.wait_end()
    assert "mirostat" in page.text(f"{ANSWER} .failed")
    # What the page cannot send at all it says itself, and keeps the question.
    for nonsense, word in (("{", "JSON"), ("[1]", "object"), ('{"n": 2}', "n cannot")):
        page.set("more", nonsense)
        page.say("x")
        assert word in page.text("#notice")
    assert page.one("#say").get_attribute("value") == "xxx"
    assert page.one("#parameters").is_displayed()


def test_a_picture_for_a_model_that_reads_text_is_refused_in_the_servers_words(
    page: ChatPage,
) -> None:
    page.choose("rambler")
    hand_over(page, "paste", encoded(pixels("red", 1)), "image/png")
    wait_until(lambda: page.count("#tray img") == 1, "the picture", PATIENCE_S)
    page.say("Look.")
    page.wait_end()
    assert "Vision requests are not supported" in page.text(f"{ANSWER} .failed")


def test_a_model_that_reads_text_goes_on_without_earlier_pictures_and_it_is_said(
    server: Server, page: ChatPage
) -> None:
    before = server.count_rows()
    hand_over(page, "paste", encoded(pixels("red", 1)), "image/png")
    wait_until(lambda: page.count("#tray img") == 1, "the picture", PATIENCE_S)
    page.set("max_tokens", 5)
    page.ask(ONE)
    page.choose("rambler")
    assert page.ask("And now?") != ""
    said = page.text(f"{ANSWER} .stats")
    assert "reads text only: an earlier picture was left out" in said
    rows = list(server.wait_rows(before + 2).values())[before:]
    assert [row["images"] for row in rows] == [1, 0]


def test_code_and_answers_are_taken_along_as_they_were_written(page: ChatPage) -> None:
    said = "Do **this**:\n\n```py\nx = 1\ny = 2\n```"
    page.set("more", {"guided_choice": [said]})
    page.ask("How?")
    page.driver.execute_cdp_cmd(
        "Browser.grantPermissions",
        {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]},
    )
    read = "const done = arguments[0]; navigator.clipboard.readText().then(done)"
    for button, text in (
        (f"{ANSWER} [data-take=code]", "x = 1\ny = 2\n"),
        (f"{ANSWER} [data-deed=copy]", said),
    ):
        page.click(button)
        wait_until(lambda b=button: page.text(b) == "Copied", "the copy", PATIENCE_S)  # type: ignore[misc]
        assert page.driver.execute_async_script(read) == text


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
        size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": True}
        page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        for theme in ("light", "dark"):
            page.run("document.documentElement.dataset.theme = arguments[0]", theme)
            wide = page.run("return document.documentElement.scrollWidth")
            assert wide <= width, (width, theme)
            inside = "const l = document.getElementById('log'); return l.scrollWidth - l.clientWidth"
            assert page.run(inside) <= 0, (width, theme)
            assert page.one("#send").is_displayed()


def test_a_long_answer_is_followed_until_somebody_reads_back(page: ChatPage) -> None:
    ask_the_rambler(page)
    gap = "const l = document.getElementById('log'); return l.scrollHeight - l.clientHeight - l.scrollTop"
    height = "const l = document.getElementById('log'); return l.scrollHeight - l.clientHeight"
    wait_until(lambda: page.run(height) > 400, "a long answer", PATIENCE_S)
    assert page.run(gap) < 60
    page.run("document.getElementById('log').scrollTop = 0")
    wait_until(lambda: page.one("#jump").is_displayed(), "a way back", PATIENCE_S)
    tall = page.run(height)
    wait_until(lambda: page.run(height) > tall, "more of it", PATIENCE_S)
    assert page.run("return document.getElementById('log').scrollTop") == 0
    page.click("#jump")
    assert page.run(gap) < 60
    page.press(Keys.ESCAPE)
    page.wait_end()
