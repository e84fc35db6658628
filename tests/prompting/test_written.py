"""What a template drops is written out in words, and the row says so."""

from __future__ import annotations

from typing import Any

import pytest

from inference.core.requests import ChatPrompt
from inference.prompting.templates import render
from inference.prompting.traits import traits_of
from inference.prompting.writing import Form
from tests.prompting.conversations import (
    LOOK_UP,
    TOOLS,
    called,
    in_order,
    result,
    said,
)

OFFERS = "{% if tools %}{{ tools | tojson }}{% endif %}"
TURN = "[{{ m.role }}]{{ m.content }}"
CALLS = (
    "{% for c in m.tool_calls or [] %}<call>{{ c.function.name }}"
    "{{ c.function.arguments | tojson }}</call>{% endfor %}"
)
ASKED = said("user", "What is it?")
WROTE = "the model's chat template has no word for {}: written out as text"


def loop(body: str) -> str:
    return f"{OFFERS}{{% for m in messages %}}{body}{{% endfor %}}"


def shown(inner: Any, source: str, *messages: Any, **asked: Any) -> tuple[str, Any]:
    inner.chat_template = source
    traits = traits_of(inner, reads_calls=True, thinking_tags=("<think>", "</think>"))
    asked.setdefault("tools", TOOLS)
    command = ChatPrompt(messages, **asked)
    prompt = render(inner, command, traits, think_start="<think>")
    return inner.decode(prompt.tokens), prompt


def test_nothing_is_changed_for_a_template_that_keeps_all(inner: Any) -> None:
    source = loop("[{{ m.role }}]{{ m.reasoning_content }}{{ m.content }}" + CALLS)
    thought = called("plover")
    text, prompt = shown(inner, source, ASKED, thought, result("curlew"))
    assert prompt.warnings == ()
    assert in_order(text, "look_up", '{"of": "plover"}</call>', "[tool]curlew")


def test_calls_that_a_template_drops_are_written(inner: Any) -> None:
    text, prompt = shown(inner, loop(TURN), ASKED, called("plover"), result("curlew"))
    assert prompt.warnings == (WROTE.format("earlier calls"),)
    assert in_order(text, "[assistant]<tool_call>", "plover", "[tool]curlew")
    assert not prompt.uses_fallback_tools


def test_calls_are_written_as_the_model_writes_them(inner: Any) -> None:
    inner.chat_template = loop(TURN)
    traits = traits_of(
        inner,
        reads_calls=True,
        write_calls=lambda calls: f"<|calls|>{len(calls)}<|end|>",
    )
    command = ChatPrompt((ASKED, called("plover"), result("curlew")), tools=TOOLS)
    # It writes no arguments, so it is of no use, and the usual words are left.
    assert not traits.knows_tools
    traits = traits_of(
        inner,
        reads_calls=True,
        write_calls=lambda calls: f"<|calls|>{calls[0].arguments}<|end|>",
    )
    prompt = render(inner, command, traits, think_start=None)
    assert '<|calls|>{"of": "plover"}<|end|>' in inner.decode(prompt.tokens)


def test_results_that_a_template_drops_are_written(inner: Any) -> None:
    source = loop("{% if m.role != 'tool' %}" + TURN + CALLS + "{% endif %}")
    text, prompt = shown(inner, source, ASKED, called("plover"), result("curlew"))
    assert prompt.warnings == (WROTE.format("results"),)
    assert in_order(text, "plover", "[user]<tool_response>\ncurlew\n</tool_response>")


def test_text_beside_calls_gets_a_turn_of_its_own(inner: Any) -> None:
    source = loop(
        "[{{ m.role }}]{% if m.tool_calls %}"
        + CALLS
        + "{% else %}{{ m.content }}{% endif %}"
    )
    call = called("plover").tool_calls
    beside = said("assistant", "A moment.", tool_calls=call)
    text, prompt = shown(inner, source, ASKED, beside, result("curlew"))
    assert prompt.warnings == (WROTE.format("text beside calls"),)
    assert in_order(text, "[assistant]A moment.", "[assistant]<call>", "curlew")


@pytest.mark.parametrize(
    ("body", "form"),
    [
        ("{{ m.content }}", Form.TAGS),
        ("{{ m.content.split('</think>')[-1] }}", Form.WORDS),
        ("{{ m.thinking }}{{ m.content }}", Form.KEPT),
        ("{{ m.reasoning }}{{ m.content }}", Form.KEPT),
    ],
)
def test_the_thinking_behind_a_call_is_not_lost(
    inner: Any, body: str, form: Form
) -> None:
    call = called("plover").tool_calls
    thought = said("assistant", reasoning="Better look.", tool_calls=call)
    text, prompt = shown(
        inner,
        loop(f"[{{{{ m.role }}}}]{body}{CALLS}"),
        ASKED,
        thought,
        result("curlew"),
    )
    assert in_order(text, "Better look.", "plover", "curlew")
    assert ("<think>" in text) == (form is Form.TAGS)
    written = (WROTE.format("the thinking behind a call"),)
    assert prompt.warnings == (() if form is Form.KEPT else written)


def test_thinking_from_before_the_last_question_is_left_to_the_template(
    inner: Any,
) -> None:
    call = called("plover").tool_calls
    thought = said("assistant", reasoning="Better look.", tool_calls=call)
    text, prompt = shown(
        inner,
        loop(TURN + CALLS),
        ASKED,
        thought,
        result("curlew"),
        said("user", "Sure?"),
    )
    assert "Better look." not in text
    assert prompt.warnings == ()


def test_a_users_name_is_written_before_what_they_say(inner: Any) -> None:
    text, prompt = shown(
        inner,
        loop(TURN),
        said("user", "Hello", name="Ann"),
        said("assistant", "Hi", name="Bot"),
        said("user", "Bye", name="Ben"),
    )
    assert in_order(text, "[user]Ann: Hello[assistant]Hi[user]Ben: Bye")
    assert prompt.warnings == (
        WROTE.format("names"),
        "the name of an assistant's message was left out",
    )
    _, prompt = shown(
        inner, loop("{{ m.name }}:{{ m.content }}"), said("user", "Hello", name="Ann")
    )
    assert prompt.warnings == ()


def test_results_come_in_the_order_of_their_calls(inner: Any) -> None:
    calls = (*called("plover", "a").tool_calls, *called("dunlin", "b").tool_calls)
    text, _ = shown(
        inner,
        loop(TURN + CALLS),
        ASKED,
        said("assistant", tool_calls=calls),
        result("second", "b"),
        result("first", "a"),
    )
    assert in_order(text, "plover", "dunlin", "[tool]first", "[tool]second")


def test_tools_that_no_template_shows_are_explained(inner: Any) -> None:
    source = "{% if tools %}{% endif %}{% for m in messages %}" + TURN + "{% endfor %}"
    text, prompt = shown(inner, source, ASKED)
    assert prompt.uses_fallback_tools
    assert LOOK_UP.description in text
    assert prompt.warnings == ("tools and their messages were written out in words",)


def test_a_template_that_wants_a_list_of_tools_always_gets_one(inner: Any) -> None:
    source = (
        "{% for t in tools %}{{ t | tojson }}{% endfor %}{% for m in messages %}"
        + TURN
        + CALLS
        + "{% endfor %}"
    )
    text, prompt = shown(inner, source, ASKED, tools=None)
    assert (text, prompt.warnings) == ("[user]What is it?", ())
