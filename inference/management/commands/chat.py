"""`mlx-server chat`: one question, from the command line or a pipe, and its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inference.client.answers import Answer
from inference.client.asking import ask
from inference.client.screen.answer_view import AnswerView, PlainView
from inference.client.screen.consoles import (
    has_terminal,
    is_drawable,
    make_console,
)
from inference.client.screen.views import View, show_while
from inference.management.chat_options import (
    add_asking_options,
    add_model_option,
    add_plain_option,
    add_stream_option,
    conversation_of,
    read_prompt,
)
from inference.management.client_command import WRONG_USAGE, ClientCommand
from inference.management.shell_start import start_shell

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from inference.client.address import ServerAddress


class Command(ClientCommand):
    """Asks once; without a prompt, on a terminal, it is the shell."""

    help = (
        "Ask a model, and see its answer while it comes.\n"
        "Without a prompt, on a terminal, a conversation begins."
    )
    examples = (
        '%(prog)s "What is the capital of France?"',
        "%(prog)s --model big --system 'Answer in French.' Good morning",
        "%(prog)s --image photo.jpg What is on this picture?",
        "git diff | %(prog)s Write a commit message for this: > message.txt",
        "%(prog)s --base-url http://127.0.0.1:8080 Hello",
        "%(prog)s",
    )

    def add_options(self, parser: ArgumentParser) -> None:
        """Declare the prompt and the options."""
        parser.add_argument(
            "prompt",
            nargs="*",
            default=[],
            metavar="PROMPT",
            help="the question; what comes through a pipe is put behind it",
        )
        add_model_option(parser)
        add_stream_option(parser)
        add_plain_option(parser)
        add_asking_options(parser)

    def run(self, address: ServerAddress, options: dict[str, Any]) -> None:
        """Ask, and show the answer."""
        prompt = read_prompt(options["prompt"])
        conversation = conversation_of(options)
        if not prompt and has_terminal():
            start_shell(address, conversation)
            return
        if not prompt and not conversation.pictures:
            self.leave(
                "there is no question: give one, or send one through a pipe",
                WRONG_USAGE,
            )
        answer = Answer()
        view = _view(answer, plain=options["plain"])
        show_while(view, ask(address, conversation.question(prompt), answer))


def _view(answer: Answer, *, plain: bool) -> View:
    console = make_console()
    if plain or not is_drawable(console):
        return PlainView(answer)
    return AnswerView(console, answer)
