"""Responses as rows; everything here runs in the store's thread."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from inference.core.errors import InvalidRequestError, ResponseTooLargeError
from inference.core.stored import StoredResponse
from inference.models import ResponseRow
from inference.models.packing import encoded, packed, unpacked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta

    from inference.core.stored import Item
    from inference.core.timing import Clock
    from inference.models.responses import ResponseQuerySet

# A chain of responses is followed so far; no context is as long.
HISTORY_TURNS = 10_000


class Responses:
    """Owns what a response is as a row, and how long it is found."""

    def __init__(
        self, *, retention: timedelta, most_bytes: int, boot_id: str, clock: Clock
    ) -> None:
        self._retention = retention
        self._most_bytes = most_bytes
        self._boot_id = boot_id
        self._clock = clock

    def put(self, response: StoredResponse) -> None:
        """Write a response over what has its id; what it builds on lives on with it.

        Raises:
            ResponseTooLargeError: it has more bytes than are kept.
        """
        now = self._now()
        row = self._row(response, now)
        ResponseRow.objects.put(row)
        if row.root_id != row.response_id:
            ResponseRow.objects.filter(root_id=row.root_id).update(used_at=now)

    def find(self, response_id: str, key_name: str) -> StoredResponse | None:
        """Return a response, unless there is none or another key holds it."""
        row = self._held(key_name).filter(response_id=response_id).first()
        return None if row is None else _response(row)

    def history(self, response_id: str, key_name: str) -> tuple[Item, ...] | None:
        """Return all items up to a response's output; `None` where one turn is gone.

        Raises:
            InvalidRequestError: the response is under way, or the chain too long.
        """
        turns: list[ResponseRow] = []
        while response_id:
            row = self._turn(response_id, key_name)
            if row is None:
                return None
            if len(turns) == HISTORY_TURNS:
                raise _not_to_be_built_on(f"More than {HISTORY_TURNS} responses")
            turns.append(row)
            response_id = row.previous_id
        return tuple(item for row in reversed(turns) for item in _items(row))

    def delete(self, response_id: str, key_name: str) -> bool:
        """Delete a response; whether there was one."""
        found = self._held(key_name).filter(response_id=response_id)
        return found.delete()[0] > 0

    def _turn(self, response_id: str, key_name: str) -> ResponseRow | None:
        held = self._held(key_name).filter(response_id=response_id)
        row: ResponseRow | None = held.defer("events").first()
        if row is not None and row.is_under_way:
            raise _not_to_be_built_on(f"Response '{response_id}' is not complete:")
        return row

    def _row(self, response: StoredResponse, now: datetime) -> ResponseRow:
        return ResponseRow(
            response_id=response.id,
            key_name=response.key_name,
            boot_id=self._boot_id,
            root_id=self._root_of(response),
            previous_id=response.previous_response_id,
            conversation_id=response.conversation_id,
            created_at=response.created_at,
            used_at=now,
            is_under_way=response.is_under_way,
            **self._columns(response),
        )

    def _columns(self, response: StoredResponse) -> dict[str, bytes]:
        """Return its parts as they are kept; without its events where these are many."""
        parts: dict[str, tuple[Any, ...]] = {
            "body": (response.body,),
            "input": response.input,
            "events": response.events,
        }
        sizes = {name: len(encoded(values)) for name, values in parts.items()}
        if sizes["body"] + sizes["input"] > self._most_bytes:
            raise ResponseTooLargeError(
                f"The response is not kept: it has {sum(sizes.values())} bytes, and at "
                f"most {self._most_bytes} are (RESPONSES_MAX_BYTES)."
            )
        if sum(sizes.values()) > self._most_bytes:
            parts["events"] = ()
        return {name: packed(values) for name, values in parts.items()}

    def _root_of(self, response: StoredResponse) -> str:
        previous = ResponseRow.objects.filter(response_id=response.previous_response_id)
        root = previous.values_list("root_id", flat=True).first()
        return root or response.id

    def _held(self, key_name: str) -> ResponseQuerySet:
        return ResponseRow.objects.held(key_name, since=self._now() - self._retention)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.wall(), UTC)


def _not_to_be_built_on(why: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"{why} cannot be continued.", param="previous_response_id"
    )


def _items(row: ResponseRow) -> Iterator[Item]:
    """Yield what one turn asked and was answered."""
    yield from unpacked(row.input)
    for body in unpacked(row.body):
        yield from body.get("output", ())


def _response(row: ResponseRow) -> StoredResponse:
    (body,) = unpacked(row.body)
    return StoredResponse(
        id=row.response_id,
        key_name=row.key_name,
        created_at=row.created_at,
        body=body,
        input=unpacked(row.input),
        previous_response_id=row.previous_id,
        conversation_id=row.conversation_id,
        events=unpacked(row.events),
        boot_id=row.boot_id,
    )
