"""The shell's commands: a word after a slash, and what it does."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from inference.client.comparing import read_models
from inference.client.conversation import pictures_in_words, pictures_of, text_of
from inference.client.escapes import harmless
from inference.client.faults import ServerError
from inference.client.parameters import read_parameter
from inference.client.pictures import PictureError, picture_part
from inference.client.screen.lines import as_segments, to_lines
from inference.client.screen.loads import loaded_in_words, show_load
from inference.client.screen.markdown import AnswerMarkdown
from inference.client.screen.tables import model_table
from inference.client.screen.words import one_line
from inference.client.server import as_the_server_finds_it

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference.client.shell.session import Session

CLEAR = "clear"


class LeaveShell(Exception):  # noqa: N818 -- no error: what /quit means
    """The shell is to end."""


class CommandError(ValueError):
    """A command was used wrongly; the message is one line."""


@dataclass(frozen=True, slots=True)
class ShellCommand:
    """One command: what may follow its name, what it is for, and what it does."""

    name: str
    usage: str
    purpose: str
    run: Callable[[Session, str], None]


COMMANDS: dict[str, ShellCommand] = {}


def run_command(session: Session, line: str) -> None:
    """Run `/name argument`; what goes wrong is said.

    Raises:
        LeaveShell: it was /quit.
    """
    name, argument = [*line.split(None, 1), ""][:2]
    try:
        _found(name).run(session, argument.strip())
    except (CommandError, ServerError) as error:
        session.complain(error)


def _found(name: str) -> ShellCommand:
    if name not in COMMANDS:
        raise CommandError(
            f"there is no command {name}: /help lists them; "
            "put a blank before a question that begins with a slash"
        )
    return COMMANDS[name]


def _command(name: str, usage: str, purpose: str) -> Callable[..., Any]:
    def decorate(run: Callable[[Session, str], None]) -> Callable[..., Any]:
        COMMANDS[name] = ShellCommand(name, usage, purpose, run)
        return run

    return decorate


@_command("/models", "", "the models of the server, and their state")
def _models(session: Session, _argument: str) -> None:
    session.look()
    session.console.print(model_table(session.models, session.console))


@_command("/model", "NAME", "ask another model from now on")
def _model(session: Session, argument: str) -> None:
    if argument:
        session.conversation.model = argument
        if session.models and argument not in {m["id"] for m in session.models}:
            session.say(f"{one_line(argument)} is not in /models; it is used anyway.")
            return
    chosen = session.conversation.model
    session.say(f"Model: {one_line(chosen)}" if chosen else "The server chooses.")


@_command("/load", "NAME [KEY]", "load a model, under a name of its own")
def _load(session: Session, argument: str) -> None:
    match _words(argument):
        case [name]:
            options = {}
        case [name, key]:
            options = {"key": key}
        case _:
            raise CommandError("say which model: /load NAME [KEY]")
    events = session.server.load(
        as_the_server_finds_it(name, session.address), **options
    )
    model = show_load(events, session.console)
    for line in loaded_in_words(model) if model else ():
        session.say(line)
    session.look()


@_command("/unload", "KEY", "unload a model once its requests have ended")
def _unload(session: Session, argument: str) -> None:
    if not argument:
        raise CommandError("say which model: /unload KEY")
    with session.console.status("waiting for its requests to end"):
        model = session.server.unload(argument)
    session.say(f"{one_line(model['id'])} is {one_line(model['state'])}")
    session.look()


@_command("/stream", "on|off", "show answers while they come, or when they are whole")
def _stream(session: Session, argument: str) -> None:
    if argument not in {"", "on", "off"}:
        raise CommandError("say /stream on or /stream off")
    if argument:
        session.conversation.stream = argument == "on"
    session.say(f"Streaming is {'on' if session.conversation.stream else 'off'}.")


@_command("/compare", "A,B [QUESTION]", "ask several models; without one, the last")
def _compare(session: Session, argument: str) -> None:
    named, _, question = argument.partition(" ")
    try:
        models = read_models(named)
    except ValueError as error:
        raise CommandError(f"{error}; /compare A,B [QUESTION]") from None
    text = question.strip() or session.conversation.last_question
    if not text:
        raise CommandError("there is no question yet: /compare A,B QUESTION")
    session.compare(models, text)


@_command("/system", "[TEXT|clear]", "set, show or drop the system prompt")
def _system(session: Session, argument: str) -> None:
    if argument:
        session.conversation.system = "" if argument == CLEAR else argument
    said = session.conversation.system
    session.say(f"System prompt: {harmless(said)}" if said else "No system prompt.")


@_command("/image", "[FILE ...|clear]", "send pictures with the next question")
def _image(session: Session, argument: str) -> None:
    pictures = session.conversation.pictures
    if argument == CLEAR:
        pictures.clear()
    else:
        try:
            pictures += [picture_part(source) for source in _words(argument)]
        except PictureError as error:
            raise CommandError(str(error)) from None
    count = pictures_in_words(len(pictures))
    session.say(f"{count} with the next question." if pictures else "No picture.")


@_command("/params", "[NAME=VALUE ...|clear]", "set or show parameters of answers")
def _params(session: Session, argument: str) -> None:
    parameters = session.conversation.parameters
    if argument == CLEAR:
        parameters.clear()
        argument = ""
    # A value may be JSON with blanks in it; the next name ends it.
    for text in filter(None, re.split(r"\s+(?=\w+=)", argument)):
        name, value = _parameter(text)
        if value == "":
            parameters.pop(name, None)
        else:
            parameters[name] = value
    said = ", ".join(f"{name}={value!r}" for name, value in parameters.items())
    session.say(one_line(said) or "No parameters: the model's own.")


@_command("/save", "FILE", "write the conversation: FILE.json to send, else to read")
def _save(session: Session, argument: str) -> None:
    if len(names := _words(argument)) != 1:
        raise CommandError("say where: /save FILE")
    path = Path(names[0]).expanduser()
    conversation = session.conversation
    is_json = path.suffix.lower() == ".json"
    text = conversation.as_json() if is_json else conversation.as_markdown()
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise CommandError(f"{path} is there already: choose another name") from None
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror or error}") from None
    session.say(f"Written to {one_line(path)}.")


@_command("/history", "", "show the conversation so far")
def _history(session: Session, _argument: str) -> None:
    if not session.conversation.turns:
        session.say("Nothing was said yet.")
    for turn in session.conversation.turns:
        text, count = harmless(text_of(turn)), pictures_of(turn)
        if turn["role"] == "user":
            note = f" ({pictures_in_words(count)})" if count else ""
            session.say(f"> {text}{note}", "name")
            continue
        lines = to_lines(session.console, AnswerMarkdown(text))
        session.console.print(as_segments(lines), end="")
        session.say("")


@_command("/clear", "", "begin anew; model, system prompt and parameters stay")
def _clear(session: Session, _argument: str) -> None:
    session.conversation.clear()
    session.say("A new conversation begins.")


@_command("/help", "", "this list")
def _help(session: Session, _argument: str) -> None:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(overflow="fold")
    table.add_column()
    for command in COMMANDS.values():
        table.add_row(f"{command.name} {command.usage}", command.purpose)
    session.console.print(table)
    session.say(
        "\nEnter sends. Alt-Enter, or a \\ at the end of a line, begins a new line. "
        "Tab completes, Ctrl-R searches what you asked before. "
        "Ctrl-C stops an answer, Ctrl-D leaves.",
        "quiet",
    )


@_command("/quit", "", "leave, as Ctrl-D does")
def _quit(_session: Session, _argument: str) -> None:
    raise LeaveShell


def _parameter(text: str) -> tuple[str, Any]:
    try:
        return read_parameter(text)
    except ValueError as error:
        raise CommandError(str(error)) from None


def _words(argument: str) -> list[str]:
    """Return the parts of an argument; quotes and backslashes keep blanks in."""
    try:
        return shlex.split(argument)
    except ValueError as error:
        raise CommandError(f"{argument}: {error}") from None
