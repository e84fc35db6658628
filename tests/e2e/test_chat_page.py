"""The chat page in a browser, over a real server with real models."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from selenium.webdriver.common.keys import Keys

from tests.e2e.chat_page import ANSWER, COUNT, PATIENCE_S, ChatPage
from tests.e2e.servers import Server, wait_until
from tests.pictures import ONE, encoded, pixels

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


def test_an_answer_streams_in_and_leaves_its_row(
    chat_server: Server, page: ChatPage
) -> None:
    before = chat_server.count_rows()
    assert page.focused == "say"
    answer = page.ask(COUNT)
    assert answer.startswith("one two three")
    assert answer.endswith("nineteen twenty")
    stats = page.text(f"{ANSWER} .stats")
    row = list(chat_server.wait_rows(before + 1).values())[-1]
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
    later = list(chat_server.wait_rows(before + 2).values())[-1]
    assert later["prompt_tokens"] > row["prompt_tokens"] + row["completion_tokens"]
    assert later["session_id"] == row["session_id"]
    assert page.complaints() == []


@pytest.mark.parametrize("how", ["button", "escape"])
def test_it_stops_and_keeps_what_was_said(
    chat_server: Server, page: ChatPage, how: str
) -> None:
    before = chat_server.count_rows()
    page.ask_the_rambler()
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
    row = list(chat_server.wait_rows(before + 1).values())[-1]
    assert (row["outcome"], row["reason"]) == ("cancelled", "cancelled_by_client")
    assert page.focused == "say"
    # The connection is good for the next question; how much the rambler said before
    # it was stopped, and whether that fits into the other model, is left to chance.
    page.click("#new")
    page.choose("tiny-qwen2-vl")
    page.set("max_tokens", "")
    page.set("temperature", "")
    assert page.ask(COUNT) != ""


def test_a_picture_is_chosen_pasted_or_dropped_and_seen(
    chat_server: Server, page: ChatPage, tmp_path: Path
) -> None:
    before = chat_server.count_rows()
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
    row = list(chat_server.wait_rows(before + 1).values())[-1]
    assert (row["kind"], row["images"]) == ("vision_stream", 1)

    for how, colour in (("paste", "red"), ("drop", "green")):
        page.click("#new")
        page.hand_over(how, encoded(pixels(colour, 6)), "image/png")
        wait_until(lambda: page.count("#tray img") == 1, "the picture", PATIENCE_S)
        assert page.ask(ONE) == colour
    page.hand_over("drop", b"words", "text/plain")
    assert page.text("#notice") == "Only pictures can be sent."
    page.hand_over("paste", b"broken", "image/png")
    wait_until(lambda: "no picture" in page.text("#notice"), "a word", PATIENCE_S)


def test_thinking_is_folded_and_counted(chat_server: Server, page: ChatPage) -> None:
    before = chat_server.count_rows()
    page.choose("thinker")
    page.set("temperature", 0)
    page.set("thinking_budget", 12)
    page.set("max_tokens", 40)
    page.set("more", {"ignore_eos": True})
    page.say("Think.")
    page.wait_end()
    row = list(chat_server.wait_rows(before + 1).values())[-1]
    thought = page.text(f"{ANSWER} .think summary")
    assert thought.startswith("Thought")
    assert f"{row['reasoning_tokens']} tokens" in thought
    assert page.one(f"{ANSWER} .think").get_attribute("open") is None
    page.click(f"{ANSWER} .think summary")
    assert page.text(f"{ANSWER} .think > div") != ""
    assert "ended at the limit of tokens" in page.text(f"{ANSWER} .stats")


def test_a_call_that_a_model_makes_is_shown(page: ChatPage) -> None:
    page.choose("thinker")
    schema = {"type": "object", "properties": {"at": {"enum": ["the sky"]}}}
    look = {"name": "look", "parameters": schema | {"required": ["at"]}}
    tools = [{"type": "function", "function": look}]
    page.set("temperature", 0)
    page.set("more", {"tools": tools, "tool_choice": "required"})
    page.set("reasoning_effort", "none")
    page.say("Look up.")
    page.wait_end()
    said = page.text(f"{ANSWER} .calls")
    assert said.startswith("calls look(")
    assert "the sky" in said


def test_an_answer_is_made_anew_and_a_question_changed(
    chat_server: Server, page: ChatPage
) -> None:
    before = chat_server.count_rows()
    page.ask(COUNT)
    page.ask("More!")
    page.click(f"{ANSWER} [data-deed=again]")
    page.wait_end()
    assert page.count(".turn") == 4
    assert len(chat_server.wait_rows(before + 3)) == before + 3
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
    chat_server: Server, page: ChatPage
) -> None:
    page.set("temperature", 3)
    page.say("Hello")
    page.wait_end()
    fault = page.text(f"{ANSWER} .failed")
    assert "temperature" in fault
    assert "2" in fault
    assert page.one("#p-temperature").get_attribute("aria-invalid") == "true"
    page.set("temperature", "")
    page.set("more", {"audio": {}})
    page.click(f"{ANSWER} [data-deed=again]")
    wait_until(lambda: "audio" in page.text(f"{ANSWER} .failed"), "a word", PATIENCE_S)
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
    page.hand_over("paste", encoded(pixels("red", 1)), "image/png")
    wait_until(lambda: page.count("#tray img") == 1, "the picture", PATIENCE_S)
    page.say("Look.")
    page.wait_end()
    assert "Vision requests are not supported" in page.text(f"{ANSWER} .failed")


def test_a_model_that_reads_text_goes_on_without_earlier_pictures_and_it_is_said(
    chat_server: Server, page: ChatPage
) -> None:
    before = chat_server.count_rows()
    page.hand_over("paste", encoded(pixels("red", 1)), "image/png")
    wait_until(lambda: page.count("#tray img") == 1, "the picture", PATIENCE_S)
    page.set("temperature", 0)
    page.set("max_tokens", 5)
    page.ask(ONE)
    page.choose("rambler")
    assert page.ask("And now?") != ""
    said = page.text(f"{ANSWER} .stats")
    assert "reads text only: an earlier picture was left out" in said
    rows = list(chat_server.wait_rows(before + 2).values())[before:]
    assert [row["images"] for row in rows] == [1, 0]
