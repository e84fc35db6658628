"""Conversations as rows; everything here runs in the store's thread."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from inference.core.errors import InvalidRequestError, ResponseTooLargeError
from inference.core.limits import DEFAULT_LIMITS
from inference.core.stored import StoredConversation
from inference.models import ConversationItemRow, ConversationRow
from inference.models.packing import encoded, packed, unpacked

if TYPE_CHECKING:
    from datetime import timedelta

    from inference.core.stored import Item
    from inference.core.timing import Clock
    from inference.models.responses import KeptQuerySet

# No request may have more messages.
ITEMS_MOST = DEFAULT_LIMITS.messages


class Conversations:
    """Owns what a conversation is as rows, and how long it is found."""

    def __init__(self, *, retention: timedelta, most_bytes: int, clock: Clock) -> None:
        self._retention = retention
        self._most_bytes = most_bytes
        self._clock = clock

    def put(self, conversation: StoredConversation) -> None:
        """Write a conversation, with its items where it is new.

        Raises:
            InferenceError: its items are too many, or too large.
        """
        row, is_new = ConversationRow.objects.update_or_create(
            conversation_id=conversation.id,
            defaults={
                "key_name": conversation.key_name,
                "created_at": conversation.created_at,
                "used_at": self._now(),
                "metadata": packed([conversation.metadata]),
            },
        )
        if is_new:
            self._append(row, conversation.items)

    def find(self, conversation_id: str, key_name: str) -> StoredConversation | None:
        """Return a conversation, unless there is none or another key holds it."""
        row = self._held(conversation_id, key_name).first()
        if row is None:
            return None
        (metadata,) = unpacked(row.metadata)
        items = row.items.order_by("pk").values_list("item", flat=True)
        return StoredConversation(
            id=row.conversation_id,
            key_name=row.key_name,
            created_at=row.created_at,
            metadata=metadata,
            items=tuple(item for column in items for item in unpacked(column)),
        )

    def add(self, conversation_id: str, key_name: str, items: tuple[Item, ...]) -> bool:
        """Add items behind the others; whether there is such a conversation.

        An item whose id is there already stays as it is.

        Raises:
            InferenceError: they are too many, or too large.
        """
        # Who adds to one conversation at the same time waits here.
        row = self._held(conversation_id, key_name).select_for_update().first()
        if row is None:
            return False
        self._append(row, items)
        row.used_at = self._now()
        row.save(update_fields=["used_at"])
        return True

    def delete_item(self, conversation_id: str, key_name: str, item_id: str) -> bool:
        """Delete one item; whether it was there."""
        held = self._held(conversation_id, key_name)
        found = ConversationItemRow.objects.filter(
            conversation__in=held, id_digest=ConversationItemRow.digest_of(item_id)
        )
        return found.delete()[0] > 0

    def delete(self, conversation_id: str, key_name: str) -> bool:
        """Delete a conversation with its items; whether there was one."""
        return self._held(conversation_id, key_name).delete()[0] > 0

    def _append(self, row: ConversationRow, items: tuple[Item, ...]) -> None:
        if row.items.count() + len(items) > ITEMS_MOST:
            raise InvalidRequestError(
                f"A conversation has at most {ITEMS_MOST} items.",
                param="items",
                code="array_above_max_length",
            )
        size_bytes = len(encoded(items))
        if size_bytes > self._most_bytes:
            raise ResponseTooLargeError(
                f"The items are not kept: they have {size_bytes} bytes, and at most "
                f"{self._most_bytes} are at a time (RESPONSES_MAX_BYTES)."
            )
        ConversationItemRow.objects.bulk_create(
            [
                ConversationItemRow(
                    conversation=row,
                    id_digest=ConversationItemRow.digest_of(item["id"]),
                    item=packed([item]),
                )
                for item in items
            ],
            ignore_conflicts=True,
        )

    def _held(self, conversation_id: str, key_name: str) -> KeptQuerySet:
        held = ConversationRow.objects.held(
            key_name, since=self._now() - self._retention
        )
        return held.filter(conversation_id=conversation_id)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.wall(), UTC)
