"""Small conversations of marked words, with which a template is tried out.

No template says what it refuses or leaves out, so it is looked which words come out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from itertools import product
from typing import TYPE_CHECKING, Any

from inference.core.requests import ChatMessage, TextPart, Tool, ToolCall
from inference.prompting.rendering import text_of
from inference.prompting.turns import (
    THINKING_KEYS,
    CallDialect,
    as_parts,
    native_turns,
    tool_objects,
    written_turns,
)
from inference.prompting.writing import Form, TemplateWords, Written, in_words

if TYPE_CHECKING:
    from collections.abc import Iterable

_SYSTEM, _USER, _AGAIN = "heron", "kestrel", "lapwing"
_TOOL, _ARGUMENT, _RESULT = "find_osprey", "plover", "curlew"
_WHAT_FOR = "bittern"
_BESIDE, _THOUGHT, _NAME = "dunlin", "whimbrel", "avocet"
_ANOTHER, _OTHER_RESULT = "godwit", "dotterel"
_ID, _OTHER_ID = "call_0123456789", "call_9876543210"
_FAULT_CHARS = 300
# Names under which templates read tools.
TOOLS_KEYS = ("tools", "xml_tools")
# What a template may not do without: a list of tools, though it is empty, or what
# the makers' own server would tell it.
Always = Mapping[str, Callable[[], Any]]
_ALWAYS: tuple[Always, ...] = (
    {},
    {"tools": list},
    {"functions": str, "datetime": lambda: f"{datetime.now().astimezone():%c}"},
)
_IN_CALLS = tuple(product((False, True), repeat=3))


def values_of(always: Always) -> dict[str, Any]:
    """Return what a template always wants, as it is now."""
    return {name: made() for name, made in always.items()}


class TemplateProbe:
    """Tries one tokenizer's template.

    `reads_parts`, and what it `always` wants, are known after `fault`.
    """

    def __init__(self, tokenizer: Any, words: TemplateWords) -> None:
        self._tokenizer = tokenizer
        self._words = words
        self.options: Mapping[str, Any] = {}
        self.always: Always = {}
        self.tools_key = TOOLS_KEYS[0]
        self.reads_parts = False

    def fault(self) -> str:
        """Return why one turn of the user's cannot be rendered; empty: it can."""
        first = ""
        for self.always, self.reads_parts in product(_ALWAYS, (False, True)):
            try:
                text = self._rendered([{"role": "user", "content": _USER}])
                # A list that was only printed has not been read.
                if _USER in text.lower() and "'type'" not in text:
                    return ""
            except Exception as error:  # noqa: BLE001 -- templates raise whatever they like
                line = getattr(error, "lineno", None)
                where = f", line {line}" if isinstance(line, int) else ""
                first = first or f"{type(error).__name__}{where}: {error}"
        self.always, self.reads_parts = {}, False
        first = " ".join(first.split())
        return (first or "it leaves the user's message out")[:_FAULT_CHARS]

    def question(self, options: Mapping[str, Any]) -> str | None:
        """Return the prompt of a question; `None`: it is refused."""
        turns = [
            {"role": "system", "content": _SYSTEM},
            {"role": "user", "content": _USER},
        ]
        for said in (turns, turns[1:]):
            text = self._rendered_or_nothing(said, **options)
            if text:
                return text
        return None

    def takes_system(self) -> bool:
        """Whether a system turn reaches the prompt."""
        return self._shows(("system", _SYSTEM), ("user", _USER))

    def alternates(self) -> bool:
        """Whether two turns of one role in a row are refused or lost."""
        return not self._shows(("user", _USER), ("user", _AGAIN))

    def drops_names(self) -> bool:
        """Whether the name of a user is left out."""
        turns = [{"role": "user", "content": _USER, "name": _NAME}]
        return _NAME not in self._rendered_or_nothing(turns)

    def calls(self) -> tuple[CallDialect, Written] | None:
        """Return how calls are to be given, and what of them stands in words.

        `None`: they are refused in any way. Best is the first way that changes least
        and loses nothing.
        """
        ways = [(Written(), CallDialect(*flags)) for flags in _IN_CALLS]
        ways += [
            (Written(calls=calls, results=results), CallDialect(*flags))
            for calls, results in ((False, True), (True, False), (True, True))
            for flags in (
                _IN_CALLS if not calls else ((False,) * 3, (False, True, True))
            )
        ]
        for written, dialect in ways:
            if self._keeps(
                (_WHAT_FOR, _ARGUMENT, _RESULT), _called(), written, dialect
            ):
                break
        else:
            return None
        if not written.calls:
            beside = (
                written,
                Written(results=written.results, beside=True),
                Written(results=written.results, calls=True),
            )
            said = _called(beside=_BESIDE)
            wanted: tuple[str, ...] = (_BESIDE, _ARGUMENT, _RESULT)
            written = next(
                (way for way in beside if self._keeps(wanted, said, way, dialect)),
                written,
            )
            wanted = (_ARGUMENT, _RESULT, _ANOTHER, _OTHER_RESULT)
            singly = (written, replace(written, singly=True))
            written = next(
                (way for way in singly if self._keeps(wanted, _twice(), way, dialect)),
                written,
            )
        return dialect, written

    def thinking(
        self, written: Written, dialect: CallDialect | None
    ) -> tuple[str, Form]:
        """Return under which name the thinking behind a call is read, or its form.

        `dialect` is how calls are given; `None`: all of them are words.
        """
        said = _called(thought=_THOUGHT)
        wanted: tuple[str, ...] = (_THOUGHT, _ARGUMENT, _RESULT)
        beside = _called(thought=_THOUGHT, beside=_BESIDE)
        if self._keeps((_BESIDE,), beside, written, dialect):
            said, wanted = beside, (*wanted, _BESIDE)
        for form in Form:
            if form is Form.TAGS and not self._words.think_start:
                continue
            for key in THINKING_KEYS if form is Form.KEPT else THINKING_KEYS[:1]:
                way = replace(written, thinking=form)
                if self._keeps(wanted, said, way, dialect, key):
                    return key, form
        return THINKING_KEYS[0], Form.KEPT

    def _keeps(
        self,
        wanted: Iterable[str],
        messages: tuple[ChatMessage, ...],
        written: Written,
        dialect: CallDialect | None,
        thinking_key: str = THINKING_KEYS[0],
    ) -> bool:
        said, _ = in_words(messages, written, self._words)
        if dialect is None:
            text = self._rendered_or_nothing(
                written_turns(said, None, thinking_key), **self.options
            )
        else:
            text = self._rendered_or_nothing(
                native_turns(said, dialect, thinking_key),
                **{self.tools_key: tool_objects((_OFFERED,))},
                **self.options,
            )
        return all(word in text for word in wanted)

    def _shows(self, *said: tuple[str, str]) -> bool:
        turns = [{"role": role, "content": text} for role, text in said]
        text = self._rendered_or_nothing(turns).lower()
        return all(word in text for _, word in said)

    def _rendered_or_nothing(self, turns: list[dict[str, Any]], **options: Any) -> str:
        try:
            return self._rendered(turns, **options)
        except Exception:  # noqa: BLE001 -- templates raise whatever they like
            return ""

    def _rendered(self, turns: list[dict[str, Any]], **options: Any) -> str:
        if self.reads_parts:
            turns = as_parts(turns)
        return text_of(self._tokenizer, turns, **{**values_of(self.always), **options})


_OFFERED = Tool(
    _TOOL,
    _WHAT_FOR,
    {
        "type": "object",
        "properties": {"of": {"type": "string", "description": "What."}},
    },
)


def _called(*, beside: str = "", thought: str = "") -> tuple[ChatMessage, ...]:
    call = ToolCall(_ID, _TOOL, f'{{"of": "{_ARGUMENT}"}}')
    content = (TextPart(beside),) if beside else ()
    return (
        ChatMessage("user", (TextPart(_USER),)),
        ChatMessage("assistant", content, tool_calls=(call,), reasoning=thought),
        ChatMessage("tool", (TextPart(_RESULT),), tool_call_id=_ID),
    )


def _twice() -> tuple[ChatMessage, ...]:
    asked, called, result = _called()
    other = ToolCall(_OTHER_ID, _TOOL, f'{{"of": "{_ANOTHER}"}}')
    return (
        asked,
        ChatMessage("assistant", tool_calls=(*called.tool_calls, other)),
        result,
        ChatMessage("tool", (TextPart(_OTHER_RESULT),), tool_call_id=_OTHER_ID),
    )
