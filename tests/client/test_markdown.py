"""Markdown that models write: nothing is lost, whatever they write."""

from __future__ import annotations

import random

import pytest

from inference.client.screen.lines import to_lines, width_of
from inference.client.screen.markdown import AnswerMarkdown, MarkdownBlocks
from tests.client.screens import Screen

ATOMS = (
    *("# ", "## ", "- ", "* ", "1. ", "2) ", "> ", "```", "```py", "\n", "\n\n", "|"),
    *("|---|---|", "a", "b c", "**", "*", "_", "`", "~~", "[", "](", "http://x.y"),
    *(")", "![", "<b>", "</script>", "&#13;", "&#27;", "\\", "---", "===", "    "),
    *("\t", "[1]: http://a", "<kbd>", "[[x]]", "\x1b[31m", "é", "漢字", "😀"),
)


def shown(text: str, width: int = 60) -> str:
    lines = to_lines(Screen(width=width).console(), AnswerMarkdown(text))
    assert all(width_of(line) <= width for line in lines)
    return "\n".join("".join(part.text for part in line) for line in lines)


def test_whatever_is_written_is_rendered_and_its_blocks_are_the_whole() -> None:
    chance = random.Random(1)
    for _ in range(1500):
        text = "".join(chance.choices(ATOMS, k=chance.randint(1, 25)))
        assert all(char >= " " or char == "\n" for char in shown(text))
        blocks, cut = MarkdownBlocks(), chance.randint(1, 4)
        pieces = [text[at : at + cut] for at in range(0, len(text), cut)]
        done = [block for piece in pieces for block in blocks.feed(piece)]
        whole = "".join([*done, blocks.flush()])
        assert whole.replace("\n", "") == text.replace("\n", "")


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("one\ntwo", "one\ntwo"),
        ("def f():\n    return 1", "def f():\n    return 1"),
        ("one\\\ntwo  \nthree", "one\ntwo\nthree"),
        ("a <div> and <script>x</script>", "a <div> and <script>x</script>"),
        ("<div>\nalone\n</div>", "<div>\nalone\n</div>"),
        ("[words](http://a.b)", "words (http://a.b)"),
        ("<http://a.b>", "http://a.b"),
        ("![a cat](http://a.b/c.png)", "a cat (http://a.b/c.png)"),
        ("see [1]\n\n[1]: http://a.b", "see [1]\n\n[1]: http://a.b"),
        ("```py\n  x = 1\n```", "  x = 1"),
        ("9. nine\n10. ten", " 9. nine\n10. ten"),
        ("[bold red]x[/]", "[bold red]x[/]"),
    ],
)
def test_a_terminal_shows_what_a_page_would_hide(text: str, seen: str) -> None:
    assert shown(text) == seen


def test_a_block_is_finished_when_nothing_can_change_it() -> None:
    blocks = MarkdownBlocks()
    assert blocks.feed("One\n\n#") == []
    assert blocks.feed("tag is no heading\n") == ["One\n"]
    assert blocks.feed("\n- a\n\n- b\n") == ["#tag is no heading\n"]
    assert blocks.feed("\n```\nx\n\ny\n") == ["- a\n\n- b\n"]
    assert blocks.rest == "```\nx\n\ny\n"
    assert blocks.flush() == "```\nx\n\ny\n"
