"""An answer that is drawn while it comes is, at the end, there once and whole."""

from __future__ import annotations

import random

import pytest

from inference.client.answers import Answer
from inference.client.screen.answer_view import AnswerView
from inference.client.screen.comparison_view import ComparisonView
from tests.client.screens import Screen

TEXT = """\
# A title

A paragraph with **bold** words and `code`, which is long enough to be wrapped twice.
A line of its own.

- one
- two, which goes on and on until it does not fit into a line any more
  - nested

```python
def add(a, b):

    return a + b
```

| a | b |
|---|---|
| 1 | 2 |

> Somebody said so.

---

The end."""
SHOWN = """\
A title

A paragraph with bold words and code,
which is long enough to be wrapped
twice.
A line of its own.

 • one
 • two, which goes on and on until it
   does not fit into a line any more
    • nested

def add(a, b):

    return a + b

a  b
────
1  2

▌ Somebody said so.

----------------------------------------

The end.

m, about 1 token, 1.0 tok/s, TTFT 1.00 s"""


class Clock:
    """Ticks a second each time it is asked."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def played(screen: Screen, text: str, *, pieces: int, thinking: str = "") -> None:
    """Draw an answer that comes in so many pieces."""
    answer = Answer(clock=Clock(), model="m")
    view = AnswerView(screen.console(), answer)
    view.draw()
    if thinking:
        answer.thinking += thinking
        view.draw()
    chance = random.Random(pieces)
    cuts = sorted(chance.sample(range(1, len(text)), pieces - 1))
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        answer.text += text[start:end]
        view.draw()
    answer.add(text="")
    answer._first_at, answer._last_at, answer._pieces = 2.0, 2.0, 1
    answer.clock = lambda: 2.0
    answer.ended("stop")
    view.finish()


@pytest.mark.parametrize("height", [4, 10, 40])
@pytest.mark.parametrize("pieces", [1, 7, 40, 200])
def test_however_it_comes_it_is_shown_once_and_whole(pieces: int, height: int) -> None:
    screen = Screen(width=40, height=height)
    played(screen, TEXT, pieces=pieces)
    assert screen.text() == SHOWN


def test_thinking_stands_before_it_with_a_bar() -> None:
    screen = Screen(width=40)
    played(screen, "Yes.", pieces=2, thinking="First.\n\nThen second.\n")
    assert screen.text().startswith("│ First.\n│\n│ Then second.\n\nYes.\n\nm, ")


def test_a_terminal_that_becomes_narrower_shows_nothing_twice() -> None:
    words = " ".join(f"word{number}" for number in range(60))
    screen = Screen(width=60)
    answer = Answer(model="m")
    view = AnswerView(screen.console(), answer)
    for word in words.split(" "):
        answer.text += f"{word} "
        view.draw()
        if word == "word30":
            screen.narrow(25)
    answer.ended("stop")
    view.finish()
    shown, _, _ = screen.text().partition("\n\n")
    assert shown.split() == words.split()
    assert max(map(len, screen.rows)) <= 25


@pytest.mark.parametrize("width", [20, 80, 120])
def test_compared_answers_are_all_there_and_fit(width: int) -> None:
    screen = Screen(width=width, height=12)
    answers = [(name, Answer()) for name in ("first", "second", "third")]
    view = ComparisonView(screen.console(), answers)
    for at in range(50):
        for name, answer in answers:
            answer.text += f"{name}{at} "
        view.draw()
        assert max(map(len, screen.rows)) <= width
    for _, answer in answers:
        answer.ended("stop")
    view.finish()
    text = screen.text()
    for name, _ in answers:
        assert text.count(f"{name}49") == 1
        assert text.count(f"{name}0 ") + text.count(f"{name}0\n") == 1
    columns = text.splitlines()[0].split(" │ ")
    assert len(columns) == (3 if width == 120 else 1)
