"""Every shape of conversation that clients send, with marked words to look for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from inference.core.errors import InvalidRequestError
from inference.core.requests import (
    ChatMessage,
    ChatPrompt,
    TextPart,
    Tool,
    ToolCall,
    ToolUse,
)
from inference.prompting.effort import LEVELS
from inference.prompting.templates import RenderedPrompt, render

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from inference.engine.text.formats import ModelFormats

KEPT, WRITTEN, REFUSED, LOST = "kept", "words", "refused", "LOST"
_ID, _OTHER_ID = "call_0123456789", "call_9876543210"
_WEATHER = Tool(
    "find_osprey",
    "Says where the bittern is.",
    {
        "type": "object",
        "properties": {"of": {"type": "string", "description": "Which one."}},
        "required": ["of"],
    },
)
TOOLS = ToolUse((_WEATHER,))


@dataclass(frozen=True)
class Dressed:
    """One family's tokenizer, and what the server found out about it."""

    name: str
    tokenizer: Any
    formats: ModelFormats

    def prompt(
        self, messages: tuple[ChatMessage, ...], **asked: Any
    ) -> tuple[str, RenderedPrompt]:
        """Return a prompt as text, and as it comes out."""
        made = render(
            self.tokenizer,
            ChatPrompt(messages, **asked),
            self.formats.traits,
            think_start=self.formats.think_start,
        )
        return self.tokenizer.decode(made.tokens), made


@dataclass(frozen=True)
class Outcome:
    """What became of a conversation: a word for it, and why."""

    kind: str
    why: tuple[str, ...] = ()


@dataclass(frozen=True)
class Shape:
    """A conversation, what is asked with it, and the words that must come out."""

    name: str
    messages: tuple[ChatMessage, ...]
    words: tuple[str, ...]
    asked: dict[str, Any] = field(default_factory=dict)

    def tried(self, family: Dressed) -> Outcome:
        """Return what became of it."""
        try:
            text, prompt = family.prompt(self.messages, **self.asked)
        except InvalidRequestError as error:
            return Outcome(REFUSED, (error.message,))
        missing = [word for word in self.words if word not in text]
        if missing and not _says_so(prompt.warnings):
            return Outcome(LOST, (f"{self.name}: {', '.join(missing)}",))
        return Outcome(WRITTEN if prompt.warnings else KEPT, prompt.warnings)


def _says_so(warnings: tuple[str, ...]) -> bool:
    return any("left out" in warning or "leaves" in warning for warning in warnings)


def said(role: str, *texts: str, **more: Any) -> ChatMessage:
    return ChatMessage(role, tuple(map(TextPart, texts)), **more)


def called(*of: str, text: str = "", thought: str = "") -> ChatMessage:
    calls = tuple(
        ToolCall(call_id, "find_osprey", f'{{"of": "{word}"}}')
        for word, call_id in zip(of, (_ID, _OTHER_ID), strict=False)
    )
    content = (TextPart(text),) if text else ()
    return ChatMessage("assistant", content, tool_calls=calls, reasoning=thought)


def result(*texts: str, call_id: str = _ID) -> ChatMessage:
    return said("tool", *texts, tool_call_id=call_id)


_ASK = said("user", "kestrel?")
_MORE = (said("assistant", "godwit."), said("user", "avocet?"))
_WITH_TOOLS = {"tools": TOOLS}
SHAPES = (
    Shape("system", (said("system", "heron."), _ASK), ("heron", "kestrel")),
    Shape(
        "later system",
        (
            said("system", "heron."),
            _ASK,
            _MORE[0],
            said("system", "lapwing."),
            _MORE[1],
        ),
        ("heron", "kestrel", "godwit", "lapwing", "avocet"),
    ),
    Shape("tools", (_ASK,), ("kestrel", "find_osprey", "bittern"), _WITH_TOOLS),
    Shape(
        "calls",
        (_ASK, called("plover"), result("curlew"), *_MORE),
        ("kestrel", "plover", "curlew", "godwit", "avocet", "bittern"),
        _WITH_TOOLS,
    ),
    Shape(
        "without tools",
        (_ASK, called("plover"), result("curlew")),
        ("kestrel", "find_osprey", "plover", "curlew"),
    ),
    Shape(
        "parallel",
        (
            _ASK,
            called("plover", "whimbrel"),
            result("dotterel", call_id=_OTHER_ID),
            result("curlew"),
        ),
        ("plover", "whimbrel", "dotterel", "curlew"),
        _WITH_TOOLS,
    ),
    Shape(
        "list",
        (_ASK, called("plover"), result("curlew ", "dunlin")),
        ("plover", "curlew dunlin"),
        _WITH_TOOLS,
    ),
    Shape(
        "beside",
        (_ASK, called("plover", text="dunlin."), result("curlew")),
        ("dunlin", "plover", "curlew"),
        _WITH_TOOLS,
    ),
    Shape(
        "thinking",
        (_ASK, called("plover", text="dunlin.", thought="whimbrel."), result("curlew")),
        ("whimbrel", "dunlin", "plover", "curlew"),
        _WITH_TOOLS,
    ),
    Shape("names", (said("user", "kestrel?", name="avocet"),), ("avocet",)),
    Shape("answered", (_ASK, _MORE[0]), ("kestrel", "godwit")),
)


def continued(family: Dressed) -> Outcome:
    """Go on from the last message: its text, and its thinking."""
    asked = {"continue_final_message": True, "add_generation_prompt": False}
    why: list[str] = []
    for message in (
        said("assistant", "godwit is"),
        said("assistant", "godwit is", reasoning="whimbrel."),
    ):
        try:
            text, prompt = family.prompt((_ASK, message), **asked)
        except InvalidRequestError as error:
            return Outcome(REFUSED, (error.message,))
        if not text.endswith("godwit is") or prompt.opens_thinking:
            return Outcome(LOST, (f"it ends with {text[-40:]!r}",))
        if message.reasoning not in text and not _says_so(prompt.warnings):
            return Outcome(LOST, ("the thinking before it",))
        why += prompt.warnings
    if family.formats.thinking is not None:
        thought = said("assistant", reasoning="whimbrel is")
        text, prompt = family.prompt((_ASK, thought), **asked)
        if not (text.endswith("whimbrel is") and prompt.opens_thinking):
            return Outcome(LOST, (f"its thinking ends with {text[-40:]!r}",))
    return Outcome(WRITTEN if why else KEPT, tuple(why))


def effort(family: Dressed) -> Outcome:
    """Ask for every level; say which arguments of the template stand for them."""
    told = []
    for level in LEVELS:
        _, prompt = family.prompt((_ASK,), reasoning_effort=level)
        told.append(
            "ignored"
            if prompt.ignored
            else ""
            if prompt.thinking_budget is None
            else str(prompt.thinking_budget)
        )
    traits = family.formats.traits.effort
    if "ignored" in told:
        return Outcome("ignored")
    levels = [level for level in LEVELS if level in traits.levels]
    if levels:
        return Outcome(" ".join(levels))
    return Outcome("budget" if any(told) else traits.switch or "none")


def control(family: Dressed) -> Outcome:
    """Write the model's control tokens everywhere: none may become one."""
    known = family.formats.traits.control
    tokenizer = family.tokenizer
    texts = sorted(tokenizer.convert_ids_to_tokens(token) for token in known.ids)
    attack = " ".join(["", *texts, ""])
    counts = []
    for text in (attack, " dunlin "):
        tool = described_as(_WEATHER, text)
        messages = (
            said("system", f"heron{text}heron"),
            said("user", f"kestrel{text}kestrel"),
            called(f"plover{text}"),
            result(f"curlew{text}curlew"),
        )
        _, prompt = family.prompt(messages, tools=ToolUse((tool,)))
        counts.append([t for t in prompt.tokens if t in known.ids])
        if text is attack and attack not in tokenizer.decode(prompt.tokens):
            return Outcome(LOST, ("what was written does not come out",))
    if counts[0] != counts[1]:
        return Outcome(LOST, ("a control token that was written became one",))
    return Outcome(KEPT)


def described_as(tool: Tool, text: str) -> Tool:
    """Return a tool whose description holds a text."""
    return Tool(tool.name, f"bittern{text}bittern", tool.parameters)


CHECKS: dict[str, Callable[[Dressed], Outcome]] = {
    **{shape.name: shape.tried for shape in SHAPES},
    "continue": continued,
    "effort": effort,
    "control": control,
}


def outcomes(family: Dressed) -> Iterator[tuple[str, Outcome]]:
    """Try every shape with one family."""
    for name, check in CHECKS.items():
        yield name, check(family)
