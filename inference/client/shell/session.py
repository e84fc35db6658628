"""One session of the shell: owns the conversation and what is known of the server."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from inference.client.answers import Answer
from inference.client.asking import ask
from inference.client.comparing import ask_all, begin_answers
from inference.client.faults import ServerError
from inference.client.screen.answer_view import AnswerView
from inference.client.screen.comparison_view import ComparisonView
from inference.client.screen.views import show_while
from inference.client.screen.words import one_line
from inference.client.server import ServerClient

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from inference.client.address import ServerAddress
    from inference.client.conversation import Conversation


@dataclass(slots=True)
class Session:
    """What commands and completion work on. `models` are as they were last seen."""

    address: ServerAddress
    conversation: Conversation
    console: Console
    models: list[dict[str, Any]] = field(default_factory=list)

    @property
    def server(self) -> ServerClient:
        """Return a client for what is not a question."""
        return ServerClient(self.address)

    def look(self) -> None:
        """See which models there are.

        Raises:
            ServerError: the server does not say.
        """
        self.models = self.server.models()

    def choose_model(self) -> None:
        """Name a model where it is clear which one: the only one, or a ready one.

        Other servers list what they could load; there the choice stays theirs.
        """
        ready = [model for model in self.models if model.get("state") == "ready"]
        clear = self.models if len(self.models) == 1 else ready
        if not self.conversation.model and clear:
            self.conversation.model = clear[0]["id"]

    def say(self, text: str, style: str = "") -> None:
        """Print a line, or several; never as markup."""
        self.console.print(text, style=style)

    def complain(self, text: object) -> None:
        """Say what went wrong."""
        self.say(f"error: {one_line(text)}", "fault")

    def answer(self, text: str) -> None:
        """Ask, show the answer, and keep both; Ctrl-C keeps what has come.

        What brought no answer is not kept: its pictures wait for the next try.
        """
        answer = Answer()
        view = AnswerView(self.console, answer)
        question = self.conversation.question(text)
        # Ctrl-C ends the answer, not the shell.
        with suppress(KeyboardInterrupt):
            try:
                show_while(view, ask(self.address, question, answer))
            except ServerError as error:
                self.complain(error)
        if answer.text:
            self.conversation.keep(text, answer.text)
        self.say("")

    def compare(self, models: Sequence[str], text: str) -> None:
        """Ask several models, apart from the conversation."""
        answers = begin_answers(models)
        view = ComparisonView(self.console, answers)
        question = self.conversation.question_alone(text)
        with suppress(KeyboardInterrupt):
            show_while(view, ask_all(self.address, question, answers))
        self.say("")
