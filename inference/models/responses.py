"""What is kept of responses and conversations, apart from the record, for a while.

`used_at` is when a row was last written, or last built upon: what it is older than is
as good as gone, and deleted soon.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.utils import timezone

from inference.models.packing import packed, unpacked

if TYPE_CHECKING:
    from datetime import datetime, timedelta

ID_CHARS = 96
# SHA-256, in hexadecimal.
DIGEST_CHARS = 64
KEY_NAME_CHARS = 255

# What is told of a response whose server ended before it did.
_RESTARTED = {
    "code": "server_error",
    "message": "The server was restarted before the response was complete.",
}


class KeptQuerySet(models.QuerySet[Any]):
    """Rows that are kept for a while, each for one key."""

    def held(self, key_name: str, *, since: datetime) -> Self:
        """Those that a key holds and that have not expired."""
        return self.filter(key_name=key_name, used_at__gte=since)

    def expired(self, retention: timedelta, *, now: datetime) -> Self:
        """Those that have been there long enough, oldest first."""
        return self.filter(used_at__lt=now - retention).order_by("used_at")


class ResponseQuerySet(KeptQuerySet):
    """Many responses."""

    def put(self, row: ResponseRow) -> None:
        """Write a row in the place of what has its id."""
        names = [
            field.name
            for field in ResponseRow._meta.concrete_fields  # noqa: SLF001 -- documented Django API
            if field.name not in ("id", "response_id")
        ]
        self.bulk_create(
            [row],
            update_conflicts=True,
            unique_fields=["response_id"],
            update_fields=names,
        )

    def end_run(self, boot_id: str) -> int:
        """Fail what was under way in a server run that is over; return how many."""
        rows = list(self.filter(boot_id=boot_id, is_under_way=True))
        for row in rows:
            row.fail_by_restart()
        self.bulk_update(rows, ["body", "is_under_way"], batch_size=100)
        return len(rows)


class ResponseRow(models.Model):
    """One response: the object as last told, what it was asked, its events.

    The responses that went on from one another have the same `root_id`, that of the
    first, and expire together.
    """

    response_id = models.CharField(max_length=ID_CHARS, unique=True)
    key_name = models.CharField(max_length=KEY_NAME_CHARS, blank=True)
    boot_id = models.CharField(max_length=64)
    root_id = models.CharField(max_length=ID_CHARS)
    previous_id = models.CharField(max_length=ID_CHARS, blank=True)
    conversation_id = models.CharField(max_length=ID_CHARS, blank=True)
    created_at = models.FloatField()
    used_at = models.DateTimeField(default=timezone.now)
    is_under_way = models.BooleanField(default=False)
    body = models.BinaryField()
    input = models.BinaryField()
    events = models.BinaryField()

    objects = ResponseQuerySet.as_manager()

    class Meta:
        verbose_name = "stored response"
        indexes = [
            models.Index(fields=["used_at"], name="response_age"),
            models.Index(fields=["root_id"], name="response_root"),
            models.Index(
                fields=["boot_id"],
                condition=models.Q(is_under_way=True),
                name="response_under_way",
            ),
        ]

    def __str__(self) -> str:
        return self.response_id

    def fail_by_restart(self) -> None:
        """Say that the response failed with its server; the row is yet to be saved."""
        (body,) = unpacked(self.body)
        self.body = packed([body | {"status": "failed", "error": _RESTARTED}])
        self.is_under_way = False


class ConversationRow(models.Model):
    """A conversation; its items are rows of their own."""

    conversation_id = models.CharField(max_length=ID_CHARS, unique=True)
    key_name = models.CharField(max_length=KEY_NAME_CHARS, blank=True)
    created_at = models.FloatField()
    used_at = models.DateTimeField(default=timezone.now)
    metadata = models.BinaryField()

    objects = KeptQuerySet.as_manager()

    class Meta:
        verbose_name = "conversation"
        indexes = [models.Index(fields=["used_at"], name="conversation_age")]

    def __str__(self) -> str:
        return self.conversation_id


class ConversationItemRow(models.Model):
    """One item of a conversation, in the order of their keys.

    Ids of items are their clients' own, of any length: `id_digest` stands for one.
    """

    conversation = models.ForeignKey(
        ConversationRow, on_delete=models.CASCADE, related_name="items"
    )
    id_digest = models.CharField(max_length=DIGEST_CHARS)
    item = models.BinaryField()

    class Meta:
        verbose_name = "conversation item"
        constraints = [
            models.UniqueConstraint(
                fields=["conversation", "id_digest"], name="conversation_item_once"
            )
        ]

    def __str__(self) -> str:
        return f"an item of {self.conversation}"

    @staticmethod
    def digest_of(item_id: str) -> str:
        """Return what stands for an id."""
        return hashlib.sha256(item_id.encode()).hexdigest()
