"""How to ask a model: owns the options that `chat`, `shell` and `compare` share."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from inference.client.conversation import Conversation
from inference.client.parameters import read_parameter
from inference.client.pictures import PictureError, picture_part

if TYPE_CHECKING:
    from collections.abc import Mapping


def add_model_option(parser: argparse.ArgumentParser) -> None:
    """Declare `--model`."""
    parser.add_argument(
        "-m",
        "--model",
        default="",
        metavar="MODEL",
        help="which model answers; without it the server chooses",
    )


def add_stream_option(parser: argparse.ArgumentParser) -> None:
    """Declare `--stream` and `--no-stream`."""
    parser.add_argument(
        "--stream",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="show the answer while it comes, or when it is whole",
    )


def add_plain_option(parser: argparse.ArgumentParser) -> None:
    """Declare `--plain`."""
    parser.add_argument(
        "--plain",
        action="store_true",
        help="write text as it comes, as into a file: nothing is drawn or coloured",
    )


def add_asking_options(parser: argparse.ArgumentParser) -> None:
    """Declare what goes with a question. `conversation_of` reads what was given."""
    add = parser.add_argument
    add("-s", "--system", default="", metavar="TEXT", help="the system prompt")
    add(
        "-i",
        "--image",
        action="append",
        type=_picture,
        default=[],
        metavar="FILE",
        help="a picture that goes with the (first) question, or its address; "
        "several times for several",
    )
    group = parser.add_argument_group("parameters of the answer")
    group.add_argument("-t", "--temperature", type=float, metavar="T")
    group.add_argument("--top-p", type=float, metavar="P")
    group.add_argument("-n", "--max-tokens", type=int, metavar="N")
    group.add_argument("--seed", type=int, metavar="N")
    group.add_argument(
        "-p",
        "--param",
        action="append",
        type=_parameter,
        default=[],
        metavar="NAME=VALUE",
        help="any other; the value is JSON or a text",
    )


def conversation_of(options: Mapping[str, Any]) -> Conversation:
    """Return the conversation that the options begin."""
    named = ("temperature", "top_p", "max_tokens", "seed")
    given = {name: options[name] for name in named if options[name] is not None}
    return Conversation(
        model=options.get("model", ""),
        system=options["system"],
        stream=options.get("stream", True),
        parameters={**given, **dict(options["param"])},
        pictures=list(options["image"]),
    )


def read_prompt(words: list[str]) -> str:
    """Return the prompt: the words given, then what comes through a pipe."""
    given = " ".join(words).strip()
    has_pipe = sys.stdin is not None and not sys.stdin.isatty()
    piped = sys.stdin.read().strip() if has_pipe else ""
    return "\n\n".join(filter(None, [given, piped]))


def _picture(source: str) -> dict[str, Any]:
    try:
        return picture_part(source)
    except PictureError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _parameter(text: str) -> tuple[str, Any]:
    try:
        return read_parameter(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
