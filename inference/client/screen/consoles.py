"""The console that everything is drawn on: owns its colours."""

from __future__ import annotations

import sys
from io import TextIOWrapper
from typing import TextIO

from rich.console import Console
from rich.theme import Theme

UNWRAPPED = 100_000

# Colours of the terminal's own palette, and no backgrounds: fit for dark and light.
THEME = Theme(
    {
        "thinking": "dim",
        "quiet": "dim",
        "fault": "red",
        "name": "bold",
        "markdown.code": "cyan",
        "markdown.code_block": "none",
        "markdown.h1": "bold underline",
        "markdown.h2": "bold",
        "markdown.h3": "bold",
        "markdown.h4": "bold",
        "markdown.block_quote": "italic",
        "markdown.link_url": "underline",
        "markdown.table.border": "dim",
        "markdown.table.header": "bold",
        "markdown.item.number": "none",
    }
)


def make_console(file: TextIO | None = None) -> Console:
    """Return a console that takes nothing for markup and colours no words itself.

    What goes elsewhere than to a terminal is not wrapped.
    """
    console = Console(
        file=file, theme=THEME, markup=False, highlight=False, emoji=False
    )
    if not console.is_terminal:
        console.width = UNWRAPPED
    return console


def is_drawable(console: Console) -> bool:
    """Whether lines can be drawn anew on it: a terminal that moves its cursor."""
    return console.is_terminal and not console.is_dumb_terminal


def has_keyboard() -> bool:
    """Whether somebody can type; without any standard input nobody can."""
    return sys.stdin is not None and sys.stdin.isatty()


def has_terminal() -> bool:
    """Whether somebody can type, and see it."""
    return has_keyboard() and sys.stdout.isatty()


def allow_any_text() -> None:
    """Let all streams replace what their encoding lacks, instead of failing."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
