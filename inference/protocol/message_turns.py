"""What becomes of the turns of Anthropic's messages: one conversation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from inference.core.requests import (
    ChatMessage,
    ContentPart,
    ImagePart,
    TextPart,
    ToolCall,
)
from inference.protocol import faults
from inference.protocol.declared import Bound, ErrorWords, Reads, Said
from inference.protocol.message_blocks import (
    AssistantTurnBody,
    Base64SourceBody,
    ImageBlockBody,
    RedactedThinkingBlockBody,
    SystemBlocks,
    SystemTurnBody,
    TextBlockBody,
    ThinkingBlockBody,
    ToolReferenceBlockBody,
    ToolResultBlockBody,
    ToolUseBlockBody,
    URLSourceBody,
    UserTurnBody,
)
from inference.protocol.parts import Text
from inference.protocol.thinking_signature import hidden_thinking

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from inference.core.limits import Limits

REDACTED = "redacted_thinking was left out of the prompt: nobody here can read it"
BILLING = "x-anthropic-billing-header:"
BILLED = f"a line '{BILLING}' was left out of the system prompt"


@dataclass
class ReadConversation:
    """What was read of a conversation; `warnings` say what was left out of it."""

    messages: list[ChatMessage] = field(default_factory=list)
    warnings: dict[str, None] = field(default_factory=dict)
    called: set[str] = field(default_factory=set)

    def add(self, sent: Any, path: str) -> None:
        """Add a turn: the results of calls in it stand before what else it says."""
        blocks = sent.content
        if isinstance(blocks, str):
            blocks = [TextBlockBody(text=blocks)]
        role = sent.__struct_config__.tag
        if role == "assistant":
            self.messages.append(self._assistants(blocks))
        elif role == "system":
            self.messages.append(ChatMessage("system", tuple(_parts(blocks, path))))
        else:
            self.messages.extend(self._users(blocks, f"{path}.content"))

    def _assistants(self, blocks: list[Any]) -> ChatMessage:
        texts, thoughts, calls = [], [], []
        for block in blocks:
            match block:
                case TextBlockBody():
                    texts.append(TextPart(block.text))
                case ThinkingBlockBody():
                    thoughts.append(
                        block.thinking or hidden_thinking(block.signature or "")
                    )
                case RedactedThinkingBlockBody():
                    self.warnings[REDACTED] = None
                case ToolUseBlockBody():
                    arguments = msgspec.json.encode(block.input).decode()
                    calls.append(ToolCall(block.id, block.name, arguments))
        self.called.update(call.id for call in calls)
        return ChatMessage(
            "assistant",
            tuple(texts),
            tool_calls=tuple(calls),
            reasoning="".join(thoughts),
        )

    def _users(self, blocks: list[Any], path: str) -> Iterator[ChatMessage]:
        # A tool's turn has no place for images in most templates: they follow it.
        rest: list[ContentPart] = []
        for place, block in enumerate(blocks):
            where = f"{path}[{place}]"
            if not isinstance(block, ToolResultBlockBody):
                rest += _parts([block], path, first=place)
                continue
            if block.tool_use_id not in self.called:
                why = "must answer a 'tool_use' block of an earlier message."
                raise faults.invalid(f"{where}.tool_use_id", why)
            parts = list(_result_parts(block, f"{where}.content"))
            rest[:0] = [part for part in parts if isinstance(part, ImagePart)]
            texts = tuple(part for part in parts if isinstance(part, TextPart))
            yield ChatMessage("tool", texts, tool_call_id=block.tool_use_id)
        if rest or not blocks:
            yield ChatMessage("user", tuple(rest))


def _result_parts(block: ToolResultBlockBody, path: str) -> Iterator[ContentPart]:
    if block.is_error:
        yield TextPart("Error: ")
    content = block.content
    if isinstance(content, str):
        yield TextPart(content)
    else:
        yield from _parts(content or (), path)


def _parts(
    blocks: Iterable[Any], path: str, *, first: int = 0
) -> Iterator[ContentPart]:
    for place, block in enumerate(blocks, first):
        match block:
            case ImageBlockBody():
                yield _image(block.source, f"{path}[{place}]")
            case ToolReferenceBlockBody():
                yield TextPart(f"The tool {block.tool_name} can be called.")
            case _:
                yield TextPart(block.text)


def _image(source: Base64SourceBody | URLSourceBody, path: str) -> ImagePart:
    if isinstance(source, Base64SourceBody):
        url = f"data:{source.media_type};base64,{source.data}"
        return ImagePart(url, path=path)
    if not source.url.startswith(("https://", "http://")):
        where = f"{path}.source.url"
        raise faults.wrong_value(where, source.url, ("https://", "http://"))
    return ImagePart(source.url, path=path)


def _to_conversation(sent: list[Any], path: str, _limits: Limits) -> ReadConversation:
    """Read the turns; the last may not wait for the results of its calls."""
    read = ReadConversation()
    for place, each in enumerate(sent):
        read.add(each, f"{path}[{place}]")
    if read.messages[-1].tool_calls:
        why = "a 'tool_use' block needs a 'tool_result' block in the next message."
        raise faults.invalid(f"{path}[{len(sent) - 1}].content", why)
    return read


def _to_system(
    sent: str | list[TextBlockBody], _path: str, _limits: Limits
) -> ReadConversation:
    """Read a system prompt, without the line that is another one every time.

    Nothing that follows it could be kept from one request to the next.
    """
    read = ReadConversation()
    texts = [sent] if isinstance(sent, str) else [block.text for block in sent]
    kept = []
    for text in texts:
        if text.startswith(BILLING):
            read.warnings[BILLED] = None
            text = text.partition("\n")[2]
        if text:
            kept.append(text)
    if kept:
        read.messages.append(ChatMessage("system", (TextPart("\n\n".join(kept)),)))
    return read


_Turn = SystemTurnBody | UserTurnBody | AssistantTurnBody
Turns = Annotated[
    ReadConversation,
    Reads(
        Annotated[
            list[_Turn],
            Bound(min_length=1, max_length="messages"),
            ErrorWords("an array of objects"),
        ],
        _to_conversation,
    ),
    Said(
        "The conversation to continue; a last message of the assistant's is gone on "
        "from. Thinking goes back to the model.",
        absent="a 400",
        takes="array of 1 to {0.messages:,} messages; roles `user`, `assistant`, "
        "`system`; blocks `text`, `image` (base64 or url), `tool_use`, `tool_result` "
        "(text and images), `thinking`, `redacted_thinking` (left out)",
        refuses="documents, files, and what a server's own tools gave; a result "
        "without its call",
    ),
]
System = Annotated[
    ReadConversation,
    Reads(Text | SystemBlocks, _to_system),
    Said(
        "Instructions before the conversation. A line `x-anthropic-billing-header` at "
        "the start of a block is left out: it changes with each request.",
        absent="the model's",
        takes="string, or array of text blocks",
    ),
]
