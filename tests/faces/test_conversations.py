"""Conversations: begun, read page by page, added to, noted upon, forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from inference.core.requests import ImagePart, TextPart
from tests.api.cast import MODEL, Client, House, Reply
from tests.response_store.cast import conversation

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference.response_store import DatabaseResponseStore

PATH = "/v1/conversations"
KEY = {"authorization": "Bearer secret"}
HELLO = {"type": "message", "role": "user", "content": "Hello!"}
CALL = {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"}
SEEN = {"type": "function_call_output", "call_id": "c1", "output": "a cat"}


class Desk:
    """A client with a key, and the house it asks."""

    def __init__(self, client: Client, house: House) -> None:
        self.client = client
        self.house = house

    async def post(self, body: Any, *path: str) -> Reply:
        return await self.client.post(body, "/".join((PATH, *path)), **KEY).reply()

    async def created(self, **body: Any) -> dict[str, Any]:
        reply = await self.post(body)
        assert reply.status == 200, reply.body
        return dict(reply.json)

    async def get(self, *path: str) -> Reply:
        return await self.client.get("/".join((PATH, *path)), **KEY)

    async def delete(self, *path: str) -> Reply:
        where = "/".join((PATH, *path))
        return await self.client.open("DELETE", where, headers=KEY).reply()

    async def texts(self, conversation_id: str) -> list[str]:
        found = (await self.get(conversation_id, "items?order=asc")).json["data"]
        return [item["content"][0]["text"] for item in found]

    async def ask(self, **body: Any) -> dict[str, Any]:
        asked = {"model": MODEL} | body
        reply = await self.client.post(asked, "/v1/responses", **KEY).reply()
        assert reply.status == 200, reply.body
        return dict(reply.json)


@pytest.fixture
def at(
    client: Client, make_house: Callable[..., House], kept: DatabaseResponseStore
) -> Desk:
    """A client of a server that keeps conversations."""
    return Desk(client, make_house(key="secret", responses=kept))


async def test_it_begins_with_nothing(at: Desk) -> None:
    told = await at.created()
    assert told.pop("id").startswith("conv_")
    assert isinstance(told.pop("created_at"), int)
    assert told == {"object": "conversation", "metadata": {}}


async def test_it_begins_with_what_was_said_before(at: Desk) -> None:
    told = await at.created(items=[HELLO, CALL, SEEN], metadata={"topic": "demo"})
    assert told["metadata"] == {"topic": "demo"}
    assert (await at.get(told["id"])).json == told
    listed = (await at.get(told["id"], "items?order=asc")).json
    message, call, seen = listed["data"]
    assert message["content"] == [{"type": "input_text", "text": "Hello!"}]
    assert (message["role"], message["status"]) == ("user", "completed")
    assert (call["type"], call["arguments"]) == ("function_call", "{}")
    assert (seen["type"], seen["output"]) == ("function_call_output", "a cat")
    assert len({item["id"] for item in listed["data"]}) == 3
    assert listed["has_more"] is False


async def test_items_are_added_and_told(at: Desk) -> None:
    told = await at.created(items=[HELLO])
    added = await at.post(
        {"items": [{"role": "user", "content": "More"}]}, told["id"] + "/items"
    )
    (item,) = added.json["data"]
    assert added.json["first_id"] == added.json["last_id"] == item["id"]
    assert await at.texts(told["id"]) == ["Hello!", "More"]
    assert (await at.get(told["id"], "items", item["id"])).json == item


async def test_items_are_listed_page_by_page_newest_first(at: Desk) -> None:
    said = [{"role": "user", "content": str(n)} for n in range(5)]
    told = await at.created(items=said)
    first = (await at.get(told["id"], "items?limit=3")).json
    assert [item["content"][0]["text"] for item in first["data"]] == ["4", "3", "2"]
    assert first["has_more"] is True
    rest = (await at.get(told["id"], f"items?limit=3&after={first['last_id']}")).json
    assert [item["content"][0]["text"] for item in rest["data"]] == ["1", "0"]
    assert rest["has_more"] is False


async def test_one_item_is_taken_out(at: Desk) -> None:
    told = await at.created(items=[HELLO, {"role": "user", "content": "Again"}])
    newest = (await at.get(told["id"], "items")).json["first_id"]
    assert (await at.delete(told["id"], "items", newest)).json == told
    assert (await at.delete(told["id"], "items", newest)).status == 404
    assert (await at.get(told["id"], "items", newest)).status == 404
    assert await at.texts(told["id"]) == ["Hello!"]


async def test_something_else_is_noted_on_it(at: Desk) -> None:
    told = await at.created(items=[HELLO], metadata={"topic": "demo"})
    noted = await at.post({"metadata": {"topic": "other"}}, told["id"])
    assert noted.json == told | {"metadata": {"topic": "other"}}
    assert (await at.get(told["id"])).json == noted.json
    assert await at.texts(told["id"]) == ["Hello!"]


async def test_it_is_forgotten_with_all_of_it(at: Desk) -> None:
    told = await at.created(items=[HELLO])
    gone = (await at.delete(told["id"])).json
    assert gone == {"id": told["id"], "object": "conversation.deleted", "deleted": True}
    for reply in (
        await at.get(told["id"]),
        await at.get(told["id"], "items"),
        await at.delete(told["id"]),
        await at.post({"items": [HELLO]}, told["id"] + "/items"),
        await at.post({"metadata": {}}, told["id"]),
    ):
        assert (reply.status, reply.error["code"]) == (404, "not_found")


async def test_another_key_does_not_see_it(
    at: Desk, kept: DatabaseResponseStore
) -> None:
    others = conversation("others", "secret", key_name="others")
    await kept.save_conversation(others)
    for reply in (
        await at.get(others.id),
        await at.get(others.id, "items"),
        await at.get(others.id, "items", "msg_secret"),
        await at.delete(others.id, "items", "msg_secret"),
        await at.delete(others.id),
        await at.post({"items": [HELLO]}, others.id + "/items"),
        await at.post({"metadata": {}}, others.id),
    ):
        assert reply.status == 404
    assert await kept.conversation(others.id, "others") == others


async def test_what_changes_something_leaves_a_row(at: Desk) -> None:
    told = await at.created(items=[HELLO])
    await at.get(told["id"])
    await at.post({"items": [HELLO]}, told["id"] + "/items")
    await at.delete(told["id"])
    rows = [(row.endpoint, row.outcome) for row in at.house.ledger.finished]
    assert rows == [
        ("/v1/conversations", "finished"),
        ("/v1/conversations/{id}/items", "finished"),
        ("/v1/conversations/{id}", "finished"),
    ]


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"items": "Hello"}, "items", "invalid_type"),
        ({"items": [HELLO] * 21}, "items", "array_above_max_length"),
        ({"items": ["Hello"]}, "items[0]", "invalid_type"),
        ({"items": [{"role": "nobody", "content": ""}]}, "items[0].role", None),
        ({"items": [{"type": "message"}]}, "items[0].role", None),
        ({"items": [{"type": "item_reference", "id": "x"}]}, "items[0]", None),
        ({"metadata": {"a": 1}}, "metadata.a", "invalid_type"),
        ({"metadata": {str(n): "" for n in range(17)}}, "metadata", None),
        ({"metadata": {"x" * 65: ""}}, None, None),
        ({"metadata": {"a": "x" * 513}}, "metadata.a", None),
    ],
)
async def test_what_cannot_be_kept_is_a_400_that_names_it(
    at: Desk, body: dict[str, Any], param: str | None, code: str | None
) -> None:
    reply = await at.post(body)
    assert reply.status == 400, reply.body
    if param is not None:
        assert reply.error["param"] == param
    if code is not None:
        assert reply.error["code"] == code
    assert at.house.ledger.only_row.outcome == "invalid"


async def test_what_must_be_there_is_named(at: Desk) -> None:
    told = await at.created()
    for path, param in ((told["id"], "metadata"), (told["id"] + "/items", "items")):
        reply = await at.post({}, path)
        assert (reply.status, reply.error["param"]) == (400, param)


async def test_what_means_nothing_is_named(at: Desk) -> None:
    reply = await at.post({"items": [{"type": "web_search_call"}], "colour": "red"})
    assert reply.status == 200
    assert set(reply.headers["x-ignored-params"].split(",")) == {
        "colour",
        "items[0].web_search_call",
    }
    assert await at.texts(reply.json["id"]) == []
    assert set(at.house.ledger.only_row.params["ignored"]) == {
        "colour",
        "items[0].web_search_call",
    }


async def test_an_id_that_is_none_is_a_400(at: Desk) -> None:
    for reply in (
        await at.get("hello"),
        await at.get("resp_1", "items"),
        await at.delete("conv_%00"),
        await at.post({"items": [HELLO]}, "hello/items"),
    ):
        assert (reply.status, reply.error["param"]) == (400, "conversation_id")


async def test_a_response_goes_on_with_it_and_adds_to_it(at: Desk) -> None:
    told = await at.created(items=[HELLO])
    first = await at.ask(input="One", conversation=told["id"])
    assert first["conversation"] == {"id": told["id"]}
    await at.ask(input="Two", conversation={"id": told["id"]}, background=True)
    for answer in list(at.house.app.background._answers.values()):
        await answer.log.ended()
    assert await at.texts(told["id"]) == [*("Hello!", "One", "Hello", "Two", "Hello")]
    asked = at.house.service.requests[-1].messages
    assert [part.text for turn in asked for part in turn.content] == [
        *("Hello!", "One", "Hello", "Two")
    ]


async def test_a_picture_stays_in_it(at: Desk) -> None:
    url = "data:image/png;base64,AA=="
    content = [
        {"type": "input_text", "text": "Look"},
        {"type": "input_image", "image_url": url},
    ]
    told = await at.created(items=[{"role": "user", "content": content}])
    (item,) = (await at.get(told["id"], "items")).json["data"]
    assert item["content"][1]["image_url"] == url
    await at.ask(input="Well?", conversation=told["id"])
    text, image = at.house.service.requests[-1].messages[0].content
    assert (text, isinstance(image, ImagePart)) == (TextPart("Look"), True)


async def test_an_item_of_a_response_can_be_referred_to(at: Desk) -> None:
    answered = await at.ask(input="One")
    (said,) = answered["output"]
    told = await at.created(items=[{"type": "item_reference", "id": said["id"]}])
    (item,) = (await at.get(told["id"], "items")).json["data"]
    assert (item["id"], item["role"]) == (said["id"], "assistant")
    assert [part["text"] for part in item["content"]] == ["Hello"]


async def test_nothing_is_kept_where_nothing_is_stored(
    client: Client, make_house: Callable[..., House]
) -> None:
    at = Desk(client, make_house(key="secret"))
    reply = await at.post({})
    assert reply.status == 404
    assert "RESPONSES_RETENTION" in reply.error["message"]
