"""What a chat template reads and takes, found out once, at load, by trying it out.

No template says what it refuses or leaves out, so small conversations of marked
words are rendered, and it is looked which words come out.
"""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import jinja2.meta
from jinja2 import Environment, TemplateError

from inference.core.requests import ChatMessage, TextPart, Tool, ToolCall
from inference.prompting.turns import (
    USUAL_DIALECT,
    CallDialect,
    native_turns,
    tool_objects,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

PROBE_S = 5.0

_TOGGLES = ("enable_thinking", "thinking")
_SYSTEM, _USER, _AGAIN = "heron", "kestrel", "lapwing"
_TOOL, _ARGUMENT, _RESULT = "find_osprey", "plover", "curlew"
_FAULT_CHARS = 300


@dataclass(frozen=True, slots=True)
class TemplateTraits:
    """What a template reads: tools, an effort, and the toggle of its thinking.

    `takes_system`: a system turn reaches the prompt. `alternates`: it refuses two
    turns of one role in a row. `reads_parts`: it wants content as a list of parts.
    `dialect` is how it wants calls. `fault` says why it cannot even render one
    turn of the user's; empty: it can.
    """

    knows_tools: bool = False
    knows_effort: bool = False
    toggle: str = ""
    takes_system: bool = True
    alternates: bool = False
    reads_parts: bool = False
    dialect: CallDialect = USUAL_DIALECT
    fault: str = ""


def traits_of(tokenizer: Any, *, reads_calls: bool | None = None) -> TemplateTraits:
    """Read and try out a tokenizer's template; none has no traits.

    `reads_calls`: somebody can read the calls that tools lead to; left out, mlx-lm.
    What is not rendered within `PROBE_S` seconds, all trials together, is given up.
    """
    names = _names_in(getattr(tokenizer, "chat_template", None))
    knows_effort = "reasoning_effort" in names
    toggle = next((toggle for toggle in _TOGGLES if toggle in names), "")
    if not getattr(tokenizer, "has_chat_template", False):
        return TemplateTraits(knows_effort=knows_effort, toggle=toggle)
    probe = _Probe(tokenizer)
    fault = probe.fault()
    if fault:
        return TemplateTraits(knows_effort=knows_effort, toggle=toggle, fault=fault)
    # Tools are of use only where somebody can read the calls they lead to.
    if reads_calls is None:
        reads_calls = getattr(tokenizer, "has_tool_calling", False)
    dialect = probe.dialect() if "tools" in names and reads_calls else None
    return TemplateTraits(
        knows_tools=dialect is not None,
        knows_effort=knows_effort,
        toggle=toggle,
        takes_system=probe.shows(("system", _SYSTEM), ("user", _USER)),
        alternates=not probe.shows(("user", _USER), ("user", _AGAIN)),
        reads_parts=probe.reads_parts,
        dialect=dialect or USUAL_DIALECT,
    )


def as_parts(turns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return turns with their content as a list of parts."""
    return [
        {**turn, "content": [{"type": "text", "text": turn["content"]}]}
        if isinstance(turn.get("content"), str)
        else turn
        for turn in turns
    ]


class _Probe:
    """Tries one tokenizer's template; `reads_parts` is known after `fault`."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._ends_at = time.monotonic() + PROBE_S
        self.reads_parts = False

    def fault(self) -> str:
        """Return why one turn of the user's cannot be rendered; empty: it can."""
        first = ""
        for self.reads_parts in (False, True):
            try:
                text = self._rendered([{"role": "user", "content": _USER}])
                # A list that was only printed has not been read.
                if _USER in text.lower() and "'type'" not in text:
                    return ""
            except Exception as error:  # noqa: BLE001 -- templates raise whatever they like
                line = getattr(error, "lineno", None)
                where = f", line {line}" if isinstance(line, int) else ""
                first = first or f"{type(error).__name__}{where}: {error}"
        self.reads_parts = False
        first = " ".join(first.split())
        return (first or "it leaves the user's message out")[:_FAULT_CHARS]

    def shows(self, *said: tuple[str, str]) -> bool:
        """Whether these turns are taken, and all their words come out."""
        turns = [{"role": role, "content": text} for role, text in said]
        text = self._rendered_or_nothing(turns).lower()
        return all(word in text for _, word in said)

    def dialect(self) -> CallDialect | None:
        """Return how calls are to be given; `None`: they are refused in any way.

        Best is the first way that loses nothing, else the first that is taken.
        """
        taken = None
        for flags in product((False, True), repeat=3):
            dialect = CallDialect(*flags)
            text = self._rendered_or_nothing(
                native_turns(_CALLED, dialect), tools=tool_objects((_OFFERED,))
            )
            if all(word in text for word in (_TOOL, _ARGUMENT, _RESULT)):
                return dialect
            if text and taken is None:
                taken = dialect
        return taken

    def _rendered_or_nothing(self, turns: list[dict[str, Any]], **options: Any) -> str:
        try:
            return self._rendered(turns, **options)
        except Exception:  # noqa: BLE001 -- templates raise whatever they like
            return ""

    def _rendered(self, turns: list[dict[str, Any]], **options: Any) -> str:
        if self.reads_parts:
            turns = as_parts(turns)
        with _given_up_at(self._ends_at):
            text: str = self._tokenizer.apply_chat_template(
                turns, tokenize=False, add_generation_prompt=True, **options
            )
        return text


_OFFERED = Tool(
    _TOOL, "Finds.", {"type": "object", "properties": {"of": {"type": "string"}}}
)
_CALLED = (
    ChatMessage("user", (TextPart(_USER),)),
    ChatMessage(
        "assistant",
        tool_calls=(ToolCall("call_0123456789", _TOOL, f'{{"of": "{_ARGUMENT}"}}'),),
    ),
    ChatMessage("tool", (TextPart(_RESULT),), tool_call_id="call_0123456789"),
)


@contextmanager
def _given_up_at(ends_at: float) -> Iterator[None]:
    """Raise `TimeoutError` out of a template that renders for longer.

    Jinja's sandbox bounds a template's reach, not its loops. Tracing makes it three
    times slower, so only trials are watched.
    """

    def watch_line(frame: FrameType, event: str, argument: Any) -> Any:
        if time.monotonic() > ends_at:
            raise TimeoutError(f"not rendered within {PROBE_S:g} s")
        return watch_line

    def watch_call(frame: FrameType, event: str, argument: Any) -> Any:
        return watch_line if frame.f_code.co_filename == "<template>" else None

    before = sys.gettrace()
    sys.settrace(watch_call)
    try:
        yield
    finally:
        sys.settrace(before)


def _names_in(template: Any) -> set[str]:
    """Return the variables that a template, or several by name, reads."""
    if isinstance(template, dict):
        template = list(template.values())
    if isinstance(template, list):
        sources = [t["template"] if isinstance(t, dict) else t for t in template]
        return set().union(*(_names_in(source) for source in sources))
    if not isinstance(template, str):
        return set()
    environment = Environment(  # noqa: S701 -- parsed only, nothing is rendered
        extensions=["jinja2.ext.loopcontrols", "jinja2.ext.do"]
    )
    try:
        return jinja2.meta.find_undeclared_variables(environment.parse(template))
    except (TemplateError, RecursionError):
        # Tags of transformers' own, such as `generation`.
        words = ("tools", "reasoning_effort", *_TOGGLES)
        return {word for word in words if word in template}
