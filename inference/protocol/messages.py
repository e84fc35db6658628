"""The grammar of a conversation: JSON messages in, `ChatMessage` values out.

Written by hand, beside the serializer for the scalar fields, because a chat of
a thousand messages must not cost the event loop more than a few milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from inference.core.limits import Limits
from inference.core.requests import (
    ChatMessage,
    ContentPart,
    ImagePart,
    TextPart,
    ToolCall,
)
from inference.protocol import faults, reading
from inference.protocol.calls import check_call_id, to_calls, unknown_in_call

ROLES = ("system", "developer", "user", "assistant", "tool")
_REASONING_KEYS = ("reasoning_content", "reasoning")
_ASSISTANTS_KEYS = ("tool_calls", "refusal", *_REASONING_KEYS)
_UNREAD_KEYS = {
    "function_call": "is not supported. Send 'tool_calls' instead.",
    "audio": "is not supported.",
}
_KNOWN_KEYS = frozenset(
    {
        *("role", "content", "name", "annotations", "tool_call_id"),
        *_ASSISTANTS_KEYS,
        *_UNREAD_KEYS,
    }
)
_UNREAD_PARTS = frozenset({"input_audio", "file"})
_DETAILS = ("auto", "low", "high")
_URL_STARTS = ("data:image/", "https://", "http://")
_URL_START_CHARS = 16


def to_messages(value: Any, *, limits: Limits) -> tuple[ChatMessage, ...]:
    """Validate the `messages` of a request.

    Raises:
        InvalidRequestError: the path of the first message or part at fault.
    """
    if value is None:
        raise faults.missing("messages")
    if type(value) is not list:
        raise faults.wrong_type("messages", "an array of objects", value)
    if not value:
        raise faults.empty("messages", what="array")
    if len(value) > limits.messages:
        raise faults.too_long(
            "messages", limit=limits.messages, length=len(value), what="array"
        )
    called: set[str] = set()
    return tuple(
        _to_message(item, called, path=f"messages[{i}]", limits=limits)
        for i, item in enumerate(value)
    )


def unknown_keys(messages: list[dict[str, Any]]) -> Iterable[str]:
    """Name the keys of validated messages that no rule here reads, each once."""
    names: dict[str, None] = {}
    for message in messages:
        if not message.keys() <= _KNOWN_KEYS:
            names |= dict.fromkeys(reading.others(message, _KNOWN_KEYS, "[]"))
        if type(message.get("content")) is list:
            for part in message["content"]:
                names |= dict.fromkeys(_unknown_in_part(part))
        for call in message.get("tool_calls") or ():
            names |= dict.fromkeys(unknown_in_call(call, "[].tool_calls[]"))
    return names


def _to_message(
    item: Any, called: set[str], *, path: str, limits: Limits
) -> ChatMessage:
    """Read one message; `called` collects the ids of the calls so far."""
    if type(item) is not dict:
        raise faults.wrong_type(path, "an object", item)
    role = _to_role(item.get("role"), path=f"{path}.role")
    for key, why in _UNREAD_KEYS.items():
        if item.get(key):
            raise faults.unsupported(f"{path}.{key}", why)
    name = item.get("name")
    if name is not None:
        _check_text(name, path=f"{path}.name", limit=limits.name_chars)
    if role == "assistant":
        return _to_assistants(item, called, name, path=path, limits=limits)
    for key in _ASSISTANTS_KEYS:
        if item.get(key):
            raise faults.invalid(
                f"{path}.{key}", "only allowed in messages with role 'assistant'."
            )
    call_id = check_call_id(item, role, called, path=path)
    content = _to_content(
        item.get("content"), role, path=f"{path}.content", limits=limits
    )
    return ChatMessage(role=role, content=content, name=name, tool_call_id=call_id)


def _to_assistants(
    item: dict[str, Any],
    called: set[str],
    name: str | None,
    *,
    path: str,
    limits: Limits,
) -> ChatMessage:
    check_call_id(item, "assistant", called, path=path)
    calls: tuple[ToolCall, ...] = ()
    if item.get("tool_calls"):
        calls = to_calls(item["tool_calls"], path=f"{path}.tool_calls", limits=limits)
        called.update(call.id for call in calls)
    reasoning = _to_reasoning(item, path=path, limits=limits)
    refusal = _to_optional_text(item, "refusal", path=path, limits=limits)
    content: tuple[ContentPart, ...] = ()
    if item.get("content") is not None or not (calls or reasoning or refusal):
        content = _to_content(
            item.get("content"), "assistant", path=f"{path}.content", limits=limits
        )
    if refusal:
        content = (*content, TextPart(refusal))
    return ChatMessage(
        role="assistant",
        content=content,
        name=name,
        tool_calls=calls,
        reasoning=reasoning,
    )


def _to_reasoning(item: dict[str, Any], *, path: str, limits: Limits) -> str:
    """Read thinking under either of its names; both hold the same text."""
    texts = [
        _to_optional_text(item, key, path=path, limits=limits)
        for key in _REASONING_KEYS
    ]
    return texts[0] or texts[1]


def _to_optional_text(
    item: dict[str, Any], key: str, *, path: str, limits: Limits
) -> str:
    text = item.get(key)
    if text is None:
        return ""
    _check_text(text, path=f"{path}.{key}", limit=limits.text_chars)
    return str(text)


def _to_role(role: Any, *, path: str) -> str:
    if role is None:
        raise faults.missing(path)
    if type(role) is not str:
        raise faults.wrong_type(path, "a string", role)
    if role == "function":
        raise faults.unsupported(path, "'function' is not supported. Use role 'tool'.")
    if role not in ROLES:
        raise faults.wrong_value(path, role, ROLES)
    return role


def _to_content(
    content: Any, role: str, *, path: str, limits: Limits
) -> tuple[ContentPart, ...]:
    if type(content) is str:
        _check_text(content, path=path, limit=limits.text_chars)
        return (TextPart(content),)
    if content is None:
        raise faults.missing(path)
    if type(content) is not list:
        raise faults.wrong_type(path, "a string or an array of objects", content)
    if not content:
        raise faults.empty(path, what="array")
    if len(content) > limits.parts_per_message:
        raise faults.too_long(
            path, limit=limits.parts_per_message, length=len(content), what="array"
        )
    return tuple(
        _to_part(part, role, path=f"{path}[{j}]", limits=limits)
        for j, part in enumerate(content)
    )


def _to_part(part: Any, role: str, *, path: str, limits: Limits) -> ContentPart:
    if type(part) is not dict:
        raise faults.wrong_type(path, "an object", part)
    kind = part.get("type")
    if kind is None:
        raise faults.missing(f"{path}.type")
    if type(kind) is not str:
        raise faults.wrong_type(f"{path}.type", "a string", kind)
    if kind in _UNREAD_PARTS:
        raise faults.unsupported(path, f"of type '{kind}' is not supported.")
    readers = _READERS_BY_ROLE.get(role, _TEXT_READERS)
    read = readers.get(kind)
    if read is None:
        raise faults.wrong_value(f"{path}.type", kind, readers)
    return read(part, path, limits)


def _read_text(part: dict[str, Any], path: str, limits: Limits) -> TextPart:
    text = part.get("text")
    _check_text(text, path=f"{path}.text", limit=limits.text_chars)
    return TextPart(str(text))


def _read_refusal(part: dict[str, Any], path: str, limits: Limits) -> TextPart:
    text = part.get("refusal")
    _check_text(text, path=f"{path}.refusal", limit=limits.text_chars)
    return TextPart(str(text))


def _read_image(part: dict[str, Any], path: str, limits: Limits) -> ImagePart:
    path = f"{path}.image_url"
    image = part.get("image_url")
    if image is None:
        raise faults.missing(path)
    if type(image) is str:  # The URL alone, as some clients send it.
        return ImagePart(url=_checked_url(image, path, limits))
    if type(image) is not dict:
        raise faults.wrong_type(path, "an object", image)
    detail = image.get("detail")
    url = _checked_url(image.get("url"), f"{path}.url", limits)
    if detail is None:
        detail = "auto"
    if detail not in _DETAILS:
        raise faults.wrong_value(f"{path}.detail", str(detail), _DETAILS)
    return ImagePart(url=url, detail=detail)


def _checked_url(url: Any, path: str, limits: Limits) -> str:
    _check_text(url, path=path, limit=limits.url_chars)
    if not url[:_URL_START_CHARS].lower().startswith(_URL_STARTS):
        raise faults.wrong_value(path, url, _URL_STARTS)
    return str(url)


def _check_text(text: Any, *, path: str, limit: int) -> None:
    if text is None:
        raise faults.missing(path)
    if type(text) is not str:
        raise faults.wrong_type(path, "a string", text)
    if len(text) > limit:
        raise faults.too_long(path, limit=limit, length=len(text), what="string")


def _unknown_in_part(part: dict[str, Any]) -> Iterable[str]:
    kind = part["type"]
    yield from reading.others(part, {"type", kind}, "[].content[]")
    if kind == "image_url":
        image = part["image_url"]
        yield from reading.others(image, {"url", "detail"}, "[].content[].image_url")


_PartReader = Callable[[dict[str, Any], str, Limits], ContentPart]
_TEXT_READERS: dict[str, _PartReader] = {"text": _read_text}
_READERS_BY_ROLE: dict[str, dict[str, _PartReader]] = {
    "user": {**_TEXT_READERS, "image_url": _read_image},
    "assistant": {**_TEXT_READERS, "refusal": _read_refusal},
}
