"""`mlx-server compare`: one question to several models, and their answers."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from inference.client.comparing import ask_all, begin_answers, read_models
from inference.client.screen.comparison_view import (
    ComparisonView,
    PlainComparison,
    failures,
)
from inference.client.screen.consoles import (
    has_terminal,
    is_drawable,
    make_console,
)
from inference.client.screen.views import View, show_while
from inference.management.chat_options import (
    add_asking_options,
    add_plain_option,
    conversation_of,
    read_prompt,
)
from inference.management.client_command import FAILED, WRONG_USAGE, ClientCommand

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference.client.address import ServerAddress
    from inference.client.answers import Answer


class Command(ClientCommand):
    """Asks all models at once."""

    help = (
        "Ask several models the same, at once, and see their answers side by side,\n"
        "each with its length, its speed and the time to its first token."
    )
    examples = (
        '%(prog)s quick,big "Why is the sky blue?"',
        "%(prog)s quick,big,other --temperature 0 -n 200 < question.txt",
        "%(prog)s quick,big Why is the sky blue? > answers.txt",
    )

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Declare the models, the prompt and the options."""
        parser.add_argument(
            "models",
            type=_models,
            metavar="MODEL,MODEL",
            help="two models or more; one that is not loaded is loaded first",
        )
        parser.add_argument(
            "prompt",
            nargs="*",
            default=[],
            metavar="PROMPT",
            help="the question; what comes through a pipe is put behind it",
        )
        add_plain_option(parser)
        add_asking_options(parser)

    def run(self, address: ServerAddress, options: dict[str, Any]) -> None:
        """Ask, and show the answers; each that failed is a line on stderr."""
        prompt = read_prompt(options["prompt"]) or self._read_line()
        if not prompt:
            self.leave(
                "there is no question: give one, or send one through a pipe",
                WRONG_USAGE,
            )
        answers = begin_answers(options["models"])
        question = conversation_of(options).question(prompt)
        view = _view(answers, plain=options["plain"])
        show_while(view, ask_all(address, question, answers))
        failed = failures(answers)
        if failed:
            self.leave("; ".join(f"{name}: {failed[name]}" for name in failed), FAILED)

    def _read_line(self) -> str:
        """Ask for the question where somebody can answer."""
        if not has_terminal():
            return ""
        try:
            return input("Question: ").strip()
        except EOFError:
            self.stdout.write("")
            return ""


def _view(answers: Sequence[tuple[str, Answer]], *, plain: bool) -> View:
    console = make_console()
    if plain or not is_drawable(console):
        return PlainComparison(answers)
    return ComparisonView(console, answers)


def _models(text: str) -> list[str]:
    try:
        return read_models(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
