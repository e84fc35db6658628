"""No text from outside acts upon a terminal, however it is cut into pieces."""

from __future__ import annotations

import random

import pytest

from inference.client.escapes import TerminalText, harmless


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("plain\ttext\nünd 漢字 😀", "plain\ttext\nünd 漢字 😀"),
        ("a\x1b[31mred\x1b[0m b", "ared b"),
        ("\x1b]0;title\x07x", "x"),
        ("\x1b]8;;http://e\x1b\\link\x1b]8;;\x1b\\!", "link!"),
        ("\x1b]52;c;bm8=\x9cx", "x"),
        ("\x1b]nobody\nends it", "\nends it"),
        ("\x1bPq#0\x1b\\x", "x"),
        ("\x1bcx", "x"),
        ("\x1b(0x", "x"),
        ("\x1b\x1b[2Jx", "x"),
        ("\x1b[2\x1b[Jx", "x"),
        ("\x9b31mx\x9d0;t\x07", "x"),
        ("over\rwrite\x08\x7f\x00", "overwrite"),
        ("half \ud800 pair", "half � pair"),
        ("\x1b[31", ""),
    ],
)
def test_what_acts_is_left_out(text: str, left: str) -> None:
    assert harmless(text) == left


def test_pieces_are_read_like_the_whole() -> None:
    chance = random.Random(4)
    atoms = ["\x1b", "[", "]", "31", "m", "\x07", "\\", "\n", "a", "\x9b", "\x9d", ";"]
    for _ in range(3000):
        text = "".join(chance.choices(atoms, k=12))
        read = TerminalText()
        assert "".join(map(read.feed, text)) == harmless(text)
        assert not set(harmless(text)) & set("\x1b\x9b\x9d\x07")
