"""Tool calls in an answer's text: read as they come, or once they are whole."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inference.core.requests import ToolCallDelta

if TYPE_CHECKING:
    from collections.abc import Callable

_HEAD = re.compile(
    r'\s*\{\s*"name"\s*:\s*("(?:[^"\\]|\\.)*")\s*,\s*"arguments"\s*:\s*(?=\{)'
)
# A head longer than this is none.
_HEAD_CHARS = 1024


@dataclass(frozen=True, slots=True)
class CallFormat:
    """How a model writes calls: between two markers, `parse` reads what is inside.

    Without `start` the whole answer is calls, without `end` a call lasts until
    the answer's end. `parse` returns a dictionary with `name` and `arguments`, or
    a list of them, and may raise anything. `streams`: what is inside is certainly
    `{"name": …, "arguments": {…}}`, so that it can be handed on in pieces. A call
    of a function that is not `allowed` is none; `parallel`: there may be several.
    """

    start: str
    end: str
    parse: Callable[[str], Any]
    streams: bool = False
    parallel: bool = True
    allowed: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class ParsedCall:
    """One call, its arguments as JSON text; `id` is empty where the model gave none."""

    name: str
    arguments: str
    id: str = ""


class NotACallError(ValueError):
    """What stands between the markers is no call of a tool that may be called."""


def parse_calls(
    body: str, parse: Callable[[str], Any], allowed: frozenset[str] | None
) -> list[ParsedCall]:
    """Return the calls in a whole body, at least one.

    Raises:
        NotACallError: `parse` fails, or finds something else, or an unknown name.
    """
    try:
        found = parse(body)
    except Exception as error:
        raise NotACallError("it could not be parsed") from error
    calls = [_to_call(each) for each in (found if isinstance(found, list) else [found])]
    if not calls:
        raise NotACallError("it is empty")
    if allowed is not None and any(call.name not in allowed for call in calls):
        raise NotACallError("it names no function of the request")
    return calls


def _to_call(found: Any) -> ParsedCall:
    name = found.get("name") if isinstance(found, dict) else None
    if not isinstance(name, str) or not name:
        raise NotACallError("it has no name")
    arguments = found.get("arguments", found.get("parameters", {}))
    if not isinstance(arguments, str):
        try:
            arguments = json.dumps(arguments, ensure_ascii=False, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise NotACallError("its arguments are no JSON") from error
    _refuse_half_characters(name, arguments)
    own = found.get("id")
    return ParsedCall(
        name, arguments, own if isinstance(own, str) and _is_whole(own) else ""
    )


def _refuse_half_characters(*texts: str) -> None:
    r"""Refuse what a model wrote as `\ud800`: no frame and no body can carry it."""
    if not all(_is_whole(text) for text in texts):
        raise NotACallError("it holds half a character")


def _is_whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class StreamedCall:
    """Reads `{"name": …, "arguments": {…}}` as it comes. Fed; never reads.

    `name` is empty until it is known; `is_whole` once the last brace has come,
    and `rest` is then what came after it. `is_broken`: it was no brace.
    """

    def __init__(self) -> None:
        self.name = ""
        self.is_whole = False
        self.is_broken = False
        self.rest = ""
        self._head = ""
        self._head_failed = False
        self._depth = 0
        self._in_string = False
        self._is_escaped = False
        self._args_ended = False

    @property
    def head(self) -> str:
        """What was read before the name was known."""
        return self._head

    @property
    def is_hopeless(self) -> bool:
        """Whether no name can come any more."""
        return self._head_failed or (not self.name and len(self._head) > _HEAD_CHARS)

    def feed(self, text: str) -> str:
        """Take text; return the piece of the arguments that it brings."""
        if not self.name:
            self._head += text
            found = _HEAD.match(self._head)
            if found is None:
                return ""
            self.name = _name_in(found[1])
            if not self.name:
                self._head_failed = True
                return ""
            text = self._head[found.end() :]
        piece = ""
        if not self._args_ended:
            end = self._end_of_arguments(text)
            if end is None:
                return text
            piece, text = text[:end], text[end:]
            self._args_ended = True
        self._close(text)
        return piece

    def _end_of_arguments(self, text: str) -> int | None:
        for at, character in enumerate(text):
            if self._in_string:
                if self._is_escaped:
                    self._is_escaped = False
                elif character == "\\":
                    self._is_escaped = True
                elif character == '"':
                    self._in_string = False
            elif character == '"':
                self._in_string = True
            elif character == "{":
                self._depth += 1
            elif character == "}":
                self._depth -= 1
                if not self._depth:
                    return at + 1
        return None

    def _close(self, text: str) -> None:
        after = text.lstrip()
        if after:
            self.is_whole = True
            self.is_broken = not after.startswith("}")
            self.rest = after[not self.is_broken :]


def _name_in(literal: str) -> str:
    """Return the text of a JSON string; empty where it is none."""
    try:
        name: str = json.loads(literal, strict=False)
    except ValueError:
        return ""
    return name if _is_whole(name) else ""


def pieces_of(call: ParsedCall, index: int, new_id: str) -> tuple[ToolCallDelta, ...]:
    """Return a whole call as a stream tells it: who is called, then with what."""
    return (
        ToolCallDelta(index, call.id or new_id, call.name, ""),
        ToolCallDelta(index, arguments=call.arguments),
    )
