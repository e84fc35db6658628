"""What a model says is shown on the chat page, and can do nothing there."""

from __future__ import annotations

import pytest

from tests.browsers import every_text
from tests.e2e.chat_page import ANSWER, HOSTILE, PATIENCE_S, ChatPage
from tests.e2e.servers import wait_until

pytestmark = pytest.mark.slow


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
        told = every_text(page.driver, button)
        page.click(button)
        wait_until(lambda told=told: "Copied" in told(), "the copy", PATIENCE_S)  # type: ignore[misc]
        assert page.driver.execute_async_script(read) == text
