"""The grammar of a conversation: JSON messages in, `ChatMessage` values out.

Written by hand, beside the serializer for the scalar fields, because a chat of
a thousand messages must not cost the event loop more than a few milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from inference.core.limits import Limits
from inference.core.requests import ChatMessage, ContentPart, ImagePart, TextPart
from inference.protocol import faults

ROLES = ("system", "developer", "user", "assistant")
_ROLES_WITHOUT_TOOLS = frozenset({"tool", "function"})
_TOOL_KEYS = ("tool_calls", "function_call", "tool_call_id", "audio")
_KNOWN_KEYS = frozenset(
    {"role", "content", "name", "refusal", "annotations", *_TOOL_KEYS}
)
_UNREAD_PARTS = frozenset({"input_audio", "file"})
_DETAILS = ("auto", "low", "high")
_URL_STARTS = ("data:image/", "https://", "http://")


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
    return tuple(
        _to_message(item, path=f"messages[{i}]", limits=limits)
        for i, item in enumerate(value)
    )


def unknown_keys(messages: list[dict[str, Any]]) -> list[str]:
    """Name the keys of validated messages that no rule here reads, each once."""
    names: dict[str, None] = {}
    for message in messages:
        if not message.keys() <= _KNOWN_KEYS:
            names |= dict.fromkeys(key for key in message if key not in _KNOWN_KEYS)
    return [f"messages[].{name}" for name in names]


def _to_message(item: Any, *, path: str, limits: Limits) -> ChatMessage:
    if type(item) is not dict:
        raise faults.wrong_type(path, "an object", item)
    role = _to_role(item.get("role"), path=f"{path}.role")
    for key in _TOOL_KEYS:
        if item.get(key):
            raise faults.unsupported(f"{path}.{key}", "is not supported yet.")
    name = item.get("name")
    if name is not None:
        _check_text(name, path=f"{path}.name", limit=limits.name_chars)
    content = _to_content(
        item.get("content"), role, path=f"{path}.content", limits=limits
    )
    return ChatMessage(role=role, content=content, name=name)


def _to_role(role: Any, *, path: str) -> str:
    if role is None:
        raise faults.missing(path)
    if type(role) is not str:
        raise faults.wrong_type(path, "a string", role)
    if role in _ROLES_WITHOUT_TOOLS:
        raise faults.unsupported(path, f"'{role}' is not supported yet.")
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
    readers = _PART_READERS if role == "user" else _TEXT_READERS
    read = readers.get(kind)
    if read is None:
        raise faults.wrong_value(f"{path}.type", kind, readers)
    return read(part, path, limits)


def _read_text(part: dict[str, Any], path: str, limits: Limits) -> TextPart:
    text = part.get("text")
    _check_text(text, path=f"{path}.text", limit=limits.text_chars)
    return TextPart(str(text))


def _read_image(part: dict[str, Any], path: str, limits: Limits) -> ImagePart:
    path = f"{path}.image_url"
    image = part.get("image_url")
    if image is None:
        raise faults.missing(path)
    if type(image) is not dict:
        raise faults.wrong_type(path, "an object", image)
    url, detail = image.get("url"), image.get("detail")
    _check_text(url, path=f"{path}.url", limit=limits.url_chars)
    if not str(url).startswith(_URL_STARTS):
        raise faults.wrong_value(f"{path}.url", str(url), _URL_STARTS)
    if detail is None:
        detail = "auto"
    if detail not in _DETAILS:
        raise faults.wrong_value(f"{path}.detail", str(detail), _DETAILS)
    return ImagePart(url=str(url), detail=detail)


def _check_text(text: Any, *, path: str, limit: int) -> None:
    if text is None:
        raise faults.missing(path)
    if type(text) is not str:
        raise faults.wrong_type(path, "a string", text)
    if len(text) > limit:
        raise faults.too_long(path, limit=limit, length=len(text), what="string")


_PartReader = Callable[[dict[str, Any], str, Limits], ContentPart]
_TEXT_READERS: dict[str, _PartReader] = {"text": _read_text}
_PART_READERS: dict[str, _PartReader] = {**_TEXT_READERS, "image_url": _read_image}
