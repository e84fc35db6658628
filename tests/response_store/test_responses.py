"""Responses in the database: for their key, for their time, whole."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from inference.core.errors import InvalidRequestError, ResponseTooLargeError
from inference.models import ConversationItemRow, ResponseRow
from metrics.retention import Pruner, Retention
from tests.response_store.cast import (
    DAY_S,
    NOON,
    SettableClock,
    conversation,
    response,
    said,
    storing,
)

if TYPE_CHECKING:
    from inference.core.stored import Item
    from inference.response_store import DatabaseResponseStore


def texts(items: tuple[Item, ...] | None) -> list[str]:
    assert items is not None
    return [item["content"][0]["text"] for item in items]


async def test_a_response_comes_back_as_it_was_kept(
    store: DatabaseResponseStore,
) -> None:
    kept = response(
        "a",
        after="before",
        conversation_id="conv_a",
        events=({"sequence_number": 0, "type": "response.created"},),
        input=(said("nul \0, line \n, \u2028 and 🐙"),),
    )
    await store.save(kept)
    assert await store.response("resp_a", "key") == kept
    assert await store.response("resp_b", "key") is None


async def test_the_last_that_was_kept_counts(store: DatabaseResponseStore) -> None:
    await store.save(response("a", status="queued"))
    await store.save(response("a", status="completed"))
    found = await store.response("resp_a", "key")
    assert found is not None
    assert found.body["status"] == "completed"


async def test_another_key_has_no_part_in_it(store: DatabaseResponseStore) -> None:
    await store.save(response("a"))
    assert await store.response("resp_a", "other") is None
    assert await store.history("resp_a", "other") is None
    assert not await store.delete("resp_a", "other")
    assert await store.response("resp_a", "key") is not None


async def test_a_history_has_all_turns_oldest_first(
    store: DatabaseResponseStore,
) -> None:
    await store.save(response("a"))
    await store.save(response("b", after="a"))
    await store.save(response("c", after="b"))
    await store.save(response("branch", after="a"))
    assert texts(await store.history("resp_c", "key")) == [
        *("a?", "a!", "b?", "b!", "c?", "c!")
    ]
    assert texts(await store.history("resp_branch", "key")) == [
        *("a?", "a!", "branch?", "branch!")
    ]


async def test_a_history_without_one_of_its_turns_is_none(
    store: DatabaseResponseStore,
) -> None:
    await store.save(response("a"))
    await store.save(response("b", after="a"))
    assert await store.delete("resp_a", "key")
    assert not await store.delete("resp_a", "key")
    assert await store.history("resp_b", "key") is None
    assert await store.response("resp_b", "key") is not None


async def test_what_is_under_way_has_no_history_yet(
    store: DatabaseResponseStore,
) -> None:
    await store.save(response("a", status="in_progress"))
    with pytest.raises(InvalidRequestError, match="cannot be continued") as refused:
        await store.history("resp_a", "key")
    assert refused.value.param == "previous_response_id"


async def test_it_is_found_until_its_time_is_over(
    store: DatabaseResponseStore, clock: SettableClock
) -> None:
    await store.save(response("a"))
    clock.now = NOON + DAY_S
    assert await store.response("resp_a", "key") is not None
    clock.now += 1
    assert await store.response("resp_a", "key") is None
    assert await store.history("resp_a", "key") is None
    assert not await store.delete("resp_a", "key")


async def test_what_goes_on_keeps_what_it_went_on_from(
    store: DatabaseResponseStore, clock: SettableClock
) -> None:
    await store.save(response("a"))
    await store.save(response("alone"))
    for turn, (name, after) in enumerate([("b", "a"), ("c", "b")], 1):
        clock.now = NOON + turn * 0.9 * DAY_S
        await store.save(response(name, after=after))
    assert texts(await store.history("resp_c", "key"))[0] == "a?"
    assert await store.response("resp_alone", "key") is None


async def test_what_has_expired_is_deleted_in_small_batches(
    store: DatabaseResponseStore, clock: SettableClock
) -> None:
    clock.now = NOON - 2 * DAY_S
    for number in range(103):
        await store.save(response(f"old{number}"))
    await store.save_conversation(conversation("old", "a", "b"))
    clock.now = NOON
    await store.save(response("new"))
    batches = await asyncio.to_thread(pruned, NOON)
    assert batches == [("responses", 100), ("responses", 3), ("conversations", 1)]
    assert await asyncio.to_thread(ResponseRow.objects.count) == 1
    assert await asyncio.to_thread(ConversationItemRow.objects.count) == 0


async def test_what_is_no_longer_stored_at_all_is_deleted(
    store: DatabaseResponseStore,
) -> None:
    await store.save(response("a"))
    assert await asyncio.to_thread(pruned, NOON + 1, 0.0) == [("responses", 1)]


def pruned(at: float, responses_s: float = DAY_S) -> list[tuple[str, int]]:
    """Delete what has expired by then; return the batches."""
    from datetime import UTC, datetime

    from django.db import connection

    now = datetime.fromtimestamp(at, UTC)
    try:
        retention = Retention(responses_s=responses_s)
        return list(Pruner(retention, now=lambda: now).batches())
    finally:
        connection.close()


async def test_a_response_that_is_too_large_is_refused(
    database: Any, clock: SettableClock
) -> None:
    async with storing(clock=clock, most_bytes=2000) as store:
        with pytest.raises(ResponseTooLargeError, match="RESPONSES_MAX_BYTES"):
            await store.save(response("a", input=(said("x" * 2000),)))
        assert await store.response("resp_a", "key") is None


async def test_only_events_that_are_too_many_are_left_out(
    database: Any, clock: SettableClock
) -> None:
    kept = response("a", events=tuple({"sequence_number": n} for n in range(200)))
    async with storing(clock=clock, most_bytes=2000) as store:
        await store.save(kept)
        found = await store.response("resp_a", "key")
    assert found == msgspec.structs.replace(kept, events=())
