"""Conversations in the database: metadata, and items in the order they were added."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from inference.core.errors import InvalidRequestError, ResponseTooLargeError
from inference.core.limits import DEFAULT_LIMITS
from tests.response_store.cast import (
    DAY_S,
    SettableClock,
    conversation,
    said,
    storing,
)

if TYPE_CHECKING:
    from inference.core.stored import StoredConversation
    from inference.response_store import DatabaseResponseStore


async def found(store: DatabaseResponseStore, name: str = "a") -> StoredConversation:
    conversation = await store.conversation(f"conv_{name}", "key")
    assert conversation is not None
    return conversation


async def ids(store: DatabaseResponseStore) -> list[str]:
    return [item["id"] for item in (await found(store)).items]


async def test_a_conversation_comes_back_as_it_was_kept(
    store: DatabaseResponseStore,
) -> None:
    kept = conversation("a", "one", "two", metadata={"topic": "demo"})
    await store.save_conversation(kept)
    assert await found(store) == kept
    assert await store.conversation("conv_b", "key") is None


async def test_items_are_added_to_the_end(store: DatabaseResponseStore) -> None:
    await store.save_conversation(conversation("a", "one"))
    assert await store.add_items("conv_a", "key", (said("two"), said("three")))
    assert await ids(store) == ["msg_one", "msg_two", "msg_three"]


async def test_those_who_add_at_once_lose_nothing(
    store: DatabaseResponseStore,
) -> None:
    await store.save_conversation(conversation("a"))
    batches = [tuple(said(f"{n}.{m}") for m in range(3)) for n in range(20)]
    await asyncio.gather(*(store.add_items("conv_a", "key", b) for b in batches))
    assert await ids(store) == [item["id"] for batch in batches for item in batch]


async def test_an_item_is_there_once(store: DatabaseResponseStore) -> None:
    await store.save_conversation(conversation("a", "one"))
    again = said("one") | {"status": "incomplete"}
    assert await store.add_items("conv_a", "key", (again, said("two")))
    assert await ids(store) == ["msg_one", "msg_two"]
    assert "status" not in (await found(store)).items[0]


async def test_its_metadata_changes_and_its_items_stay(
    store: DatabaseResponseStore,
) -> None:
    kept = conversation("a", "one", metadata={"topic": "demo"})
    await store.save_conversation(kept)
    await store.save_conversation(
        msgspec.structs.replace(kept, metadata={"topic": "b"}, items=())
    )
    assert (await found(store)).metadata == {"topic": "b"}
    assert await ids(store) == ["msg_one"]


async def test_one_item_can_go(store: DatabaseResponseStore) -> None:
    await store.save_conversation(conversation("a", "one", "two"))
    assert await store.delete_item("conv_a", "key", "msg_one")
    assert not await store.delete_item("conv_a", "key", "msg_one")
    assert await ids(store) == ["msg_two"]


async def test_another_key_has_no_part_in_a_conversation(
    store: DatabaseResponseStore,
) -> None:
    await store.save_conversation(conversation("a", "one"))
    assert await store.conversation("conv_a", "other") is None
    assert not await store.add_items("conv_a", "other", (said("two"),))
    assert not await store.delete_item("conv_a", "other", "msg_one")
    assert not await store.delete_conversation("conv_a", "other")
    assert await ids(store) == ["msg_one"]


async def test_a_conversation_goes_with_its_items(
    store: DatabaseResponseStore,
) -> None:
    await store.save_conversation(conversation("a", "one"))
    assert await store.delete_conversation("conv_a", "key")
    assert not await store.delete_conversation("conv_a", "key")
    await store.save_conversation(conversation("a"))
    assert await ids(store) == []


async def test_it_is_kept_from_the_last_that_was_added(
    store: DatabaseResponseStore, clock: SettableClock
) -> None:
    await store.save_conversation(conversation("a", "one"))
    clock.now += 0.9 * DAY_S
    await store.add_items("conv_a", "key", (said("two"),))
    clock.now += 0.9 * DAY_S
    assert await ids(store) == ["msg_one", "msg_two"]
    clock.now += 0.2 * DAY_S
    assert await store.conversation("conv_a", "key") is None
    assert not await store.add_items("conv_a", "key", (said("three"),))


async def test_it_holds_no_more_items_than_a_request_may(
    store: DatabaseResponseStore,
) -> None:
    many = tuple(said(str(n)) for n in range(DEFAULT_LIMITS.messages))
    await store.save_conversation(conversation("a", items=many))
    with pytest.raises(InvalidRequestError, match="at most 4096 items"):
        await store.add_items("conv_a", "key", (said("one more"),))
    assert len((await found(store)).items) == DEFAULT_LIMITS.messages


async def test_items_that_are_too_large_are_refused(
    database: Any, clock: SettableClock
) -> None:
    async with storing(clock=clock, most_bytes=2000) as store:
        await store.save_conversation(conversation("a", "one"))
        with pytest.raises(ResponseTooLargeError):
            await store.add_items("conv_a", "key", (said("x" * 2000),))
        assert await ids(store) == ["msg_one"]


async def test_an_item_may_have_any_id(store: DatabaseResponseStore) -> None:
    item = said("one") | {"id": "\0" + "x" * 4000}
    await store.save_conversation(conversation("a", items=(item,)))
    assert (await found(store)).items == (item,)
    assert await store.delete_item("conv_a", "key", item["id"])
    assert await ids(store) == []


@pytest.mark.parametrize("name", ["", "a\0", "x" * 5000, "ü", "a b"])
async def test_what_can_be_no_id_leads_nowhere(
    store: DatabaseResponseStore, name: str
) -> None:
    assert await store.conversation(name, "key") is None
    assert await store.response(name, "key") is None
    assert await store.history(name, "key") is None
