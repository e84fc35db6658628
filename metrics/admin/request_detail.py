"""What the page of one request tells beside its own row; a handful of queries."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from metrics.admin.curl import CurlCommand, is_shortened
from metrics.links import list_link
from metrics.models import RequestBody, RequestLog, ServerEventLog
from metrics.pagination import Cursor
from metrics.selection import Selection
from metrics.timeline import Timeline, common_scale

if TYPE_CHECKING:
    from collections.abc import Iterable

_SHOWN = ("role", "content", "index", "reasoning", "reasoning_content")
NEIGHBOURS = 4
EVENTS = 12
AROUND = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class ShownParameter:
    """One parameter: what was sent, what was used, and where that came from."""

    name: str
    sent: str
    used: str
    source: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message: its role, and the text."""

    role: str
    text: str


def request_detail(row: RequestLog, *, origin: str) -> dict[str, Any]:
    """Return the context of a request's page."""
    client = _client_of(row)
    body = RequestBody.objects.filter(request_id=row.request_id).first()
    return {
        "title": row.request_id,
        "timeline": Timeline.of(row),
        "parameters": parameters_of(row),
        "body": body,
        "prompt": messages_in(body.prompt) if body else (),
        "answer": messages_in(body.answer) if body else (),
        "curl": CurlCommand.of(row, body, origin=origin),
        "neighbours": neighbours_of(row, client),
        "client": client,
        "client_link": list_link(client),
        "events": events_around(row),
        "beside": _beside(row),
    }


def parameters_of(row: RequestLog) -> list[ShownParameter]:
    """Return all parameters: those sent, what stood in for others, those ignored."""
    ignored = row.params.get("ignored", [])
    sent = {name: value for name, value in row.params.items() if name != "ignored"}
    found = [
        ShownParameter(name, _sent(value), _sent(value), "request")
        for name, value in sent.items()
    ]
    found += [
        ShownParameter(name, "", _json(value), "default")
        for name, value in row.defaults.items()
        if name not in sent
    ]
    names = ignored if isinstance(ignored, list) else [ignored]
    return found + [ShownParameter(str(name), "sent", "", "ignored") for name in names]


def _sent(value: Any) -> str:
    """Write a sent value; of a long one only its length was kept."""
    return (
        str(value).strip("()") + ", not kept" if is_shortened(value) else _json(value)
    )


def neighbours_of(row: RequestLog, client: Selection) -> list[RequestLog]:
    """Return requests of the same client around this one, newest first, this included.

    A few steps through the index of the session, else of the user, else of the key.
    """
    rows, place = client.apply(RequestLog.objects.all()), Cursor.of(row)
    since, until = row.started_at - AROUND, row.started_at + AROUND
    rows = rows.filter(started_at__range=(since, until))
    newer = list(place.newer(rows)[:NEIGHBOURS])[::-1]
    older = list(place.older(rows)[:NEIGHBOURS])
    found = [*newer, row, *older]
    scale_s = common_scale(found)
    for one in found:
        one.timeline = Timeline.of(one, scale_s=scale_s)  # type: ignore[attr-defined]
    return found


def events_around(row: RequestLog) -> list[ServerEventLog]:
    """Return what happened to its model or server from just before to just after."""
    until = (row.finished_at or row.started_at) + AROUND
    events = ServerEventLog.objects.filter(
        at__range=(row.started_at - AROUND, until),
        model__in={row.model or row.model_requested, ""},
        node=row.node,
    )
    return list(events.order_by("at", "id")[:EVENTS])


def messages_in(value: Any) -> tuple[Message, ...]:
    """Return a kept body as messages; what has another form as one JSON text."""
    if value is None or value in ("", [], {}):
        return ()
    if isinstance(value, dict) and isinstance(value.get("messages"), list):
        tools = value.get("tools")
        told = (Message("tools", _json(tools, indent=2)),) if tools else ()
        return (*told, *messages_in(value["messages"]))
    messages = [value] if _is_message(value) else value
    if isinstance(messages, list) and all(_is_message(one) for one in messages):
        return tuple(_message(one) for one in messages)
    return (Message("", value if isinstance(value, str) else _json(value, indent=2)),)


def _client_of(row: RequestLog) -> Selection:
    if row.session_id:
        return Selection(conditions={"session": (row.session_id,)})
    if row.user:
        return Selection(conditions={"user": (row.user,)})
    return Selection(conditions={"key": (row.key_name,)})


def _beside(row: RequestLog) -> dict[str, int | None]:
    """Return the next newer and older request of all."""
    place = Cursor.of(row)
    rows = RequestLog.objects.all()
    return {
        "newer": _first(place.newer(rows).values_list("pk", flat=True)[:1]),
        "older": _first(place.older(rows).values_list("pk", flat=True)[:1]),
    }


def _first(keys: Iterable[int]) -> int | None:
    return next(iter(keys), None)


def _is_message(value: Any) -> bool:
    return isinstance(value, dict) and "content" in value


def _message(message: dict[str, Any]) -> Message:
    """Return a message as text: thinking first, then what it says, then its calls."""
    thinking = message.get("reasoning_content") or message.get("reasoning")
    content = message["content"]
    parts = content if isinstance(content, list) else [content]
    texts = [f"(thinking) {thinking}" if thinking else "", *map(_part_text, parts)]
    others = {
        name: value for name, value in message.items() if name not in _SHOWN and value
    }
    if others:
        texts.append(_json(others, indent=2))
    role = str(message.get("role", ""))
    if not role and message.get("index"):
        role = f"choice {message['index'] + 1}"
    return Message(role, "\n".join(filter(None, texts)))


def _part_text(part: Any) -> str:
    if part is None or isinstance(part, str):
        return part or ""
    if isinstance(part, dict) and isinstance(part.get("text"), str):
        return str(part["text"])
    return _json(part)


def _json(value: Any, *, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)
