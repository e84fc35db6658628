"""What a template has no word for, written out in a message's content.

A template may drop what a conversation holds: earlier calls, results, the text
beside a call, the thinking that led to it, names. What it drops is told in words
that the model understands, and the request's row says so.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

import msgspec

from inference.core.requests import ChatMessage, TextPart

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inference.core.requests import ToolCall

_WROTE = "the model's chat template has no word for {}: written out as text"
CALLS_WRITTEN = _WROTE.format("earlier calls")
RESULTS_WRITTEN = _WROTE.format("results")
_APART = "calls made together were put one after the other"
_NAMES_OF_ASSISTANTS = "the name of an assistant's message was left out"


class Form(Enum):
    """How thinking is written: not at all, between the model's tags, or as words."""

    KEPT = "kept"
    TAGS = "tags"
    WORDS = "words"


@dataclass(frozen=True, slots=True)
class Written:
    """What stands in words, because a template drops it.

    `beside`: text beside calls gets a turn of its own. `singly`: so does each of
    several calls made together, before its result. `thinking` is that of turns
    that called, since the user spoke last; earlier thinking is dropped on purpose.
    """

    calls: bool = False
    results: bool = False
    beside: bool = False
    thinking: Form = Form.KEPT
    names: bool = False
    singly: bool = False


def usual_calls(calls: Sequence[ToolCall]) -> str:
    """Write calls as models without a format of their own are told to."""
    return "\n".join(
        f"<tool_call>\n{_compact({'name': call.name, 'arguments': arguments_of(call)})}"
        "\n</tool_call>"
        for call in calls
    )


@dataclass(frozen=True, slots=True)
class TemplateWords:
    """A model's own words: how it writes calls, and what it puts around thinking."""

    write_calls: Callable[[Sequence[ToolCall]], str] = usual_calls
    think_start: str = ""
    think_end: str = ""

    def thinking(self, text: str, form: Form) -> str:
        """Return thinking as it stands before the text of a turn."""
        if form is Form.TAGS and self.think_start and self.think_end:
            return f"{self.think_start}\n{text}\n{self.think_end}\n\n"
        return f"Thinking: {text}\n\n"


USUAL_WORDS = TemplateWords()


def in_words(
    messages: Sequence[ChatMessage],
    written: Written,
    words: TemplateWords = USUAL_WORDS,
) -> tuple[tuple[ChatMessage, ...], tuple[str, ...]]:
    """Return messages without what `written` names, and what was written out."""
    if written == Written():
        return tuple(messages), ()
    apart = one_at_a_time(messages) if written.singly else tuple(messages)
    writer = _Writer(apart, written, words)
    if len(apart) != len(messages):
        writer.done[_APART] = None
    messages = apart
    for at, message in enumerate(messages):
        writer.add(at, message)
    return tuple(writer.kept), tuple(writer.done)


def one_at_a_time(messages: Sequence[ChatMessage]) -> tuple[ChatMessage, ...]:
    """Return messages in which no turn makes several calls.

    Each call is followed by its result; what was said beside them stays with the
    first.
    """
    apart: list[ChatMessage] = []
    waiting: dict[str | None, ChatMessage] = {}
    for message in messages:
        if message.role == "tool" and message.tool_call_id in waiting:
            call = waiting.pop(message.tool_call_id)
            at = next(at for at, kept in enumerate(apart) if kept is call)
            apart.insert(at + 1, message)
            continue
        first, *others = message.tool_calls or (None,)
        if first is None or not others:
            apart.append(message)
            continue
        turns = [
            msgspec.structs.replace(message, tool_calls=(first,)),
            *(ChatMessage("assistant", tool_calls=(call,)) for call in others),
        ]
        waiting = {turn.tool_calls[0].id: turn for turn in turns}
        apart += turns
    return tuple(apart)


@dataclass(slots=True)
class _Writer:
    messages: Sequence[ChatMessage]
    written: Written
    words: TemplateWords
    kept: list[ChatMessage] = field(default_factory=list)
    done: dict[str, None] = field(default_factory=dict)
    _last_user: int = -1
    _follows_result: bool = False

    def __post_init__(self) -> None:
        users = (at for at, it in enumerate(self.messages) if it.role == "user")
        self._last_user = max(users, default=-1)

    def add(self, at: int, message: ChatMessage) -> None:
        if message.name and self.written.names:
            message = self._named(message)
        if message.reasoning and message.tool_calls and at > self._last_user:
            message = self._thought(message)
        if message.role == "tool" and self.written.results:
            self._result(message)
            return
        self._follows_result = False
        if message.tool_calls and self.written.calls:
            self.done[CALLS_WRITTEN] = None
            text = self.words.write_calls(message.tool_calls)
            text = "\n".join(filter(None, (message.text, text)))
            message = msgspec.structs.replace(
                message, content=(TextPart(text),), tool_calls=()
            )
        elif message.tool_calls and message.text and self.written.beside:
            self._note("text beside calls")
            self.kept.append(
                msgspec.structs.replace(message, tool_calls=(), reasoning="")
            )
            message = msgspec.structs.replace(message, content=())
        self.kept.append(message)

    def _named(self, message: ChatMessage) -> ChatMessage:
        if message.role == "tool":
            return message
        if message.role == "assistant":
            # It would begin its next answer with a name, too.
            self.done[_NAMES_OF_ASSISTANTS] = None
        else:
            self._note("names")
            first = TextPart(f"{message.name}: ")
            message = msgspec.structs.replace(
                message, content=(first, *message.content)
            )
        return msgspec.structs.replace(message, name=None)

    def _thought(self, message: ChatMessage) -> ChatMessage:
        form = self.written.thinking
        if form is Form.KEPT:
            return message
        self._note("the thinking behind a call")
        first = TextPart(self.words.thinking(message.reasoning, form))
        return msgspec.structs.replace(
            message, content=(first, *message.content), reasoning=""
        )

    def _result(self, message: ChatMessage) -> None:
        """Put a result into a turn of the user's, together with those before it."""
        self.done[RESULTS_WRITTEN] = None
        text = f"<tool_response>\n{message.text}\n</tool_response>"
        if self._follows_result:
            last = self.kept[-1]
            self.kept[-1] = msgspec.structs.replace(
                last, content=(*last.content, TextPart(f"\n{text}"))
            )
        else:
            self.kept.append(ChatMessage("user", (TextPart(text),)))
        self._follows_result = True

    def _note(self, what: str) -> None:
        self.done[_WROTE.format(what)] = None


def arguments_of(call: ToolCall) -> Any:
    """Return the arguments as an object where they are one, which templates expect."""
    try:
        arguments = json.loads(call.arguments)
    except ValueError:
        return call.arguments
    return arguments if isinstance(arguments, dict) else call.arguments


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
