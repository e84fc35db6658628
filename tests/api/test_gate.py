"""What is refused before a view sees it; each refused POST leaves a row."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from inference.core.limits import Limits
from inference.core.outcomes import Outcome
from tests.api.cast import ASK, HELLO, Client, House, Reply

MakeHouse = Callable[..., House]
PATH = "/v1/chat/completions"


def assert_refused(
    reply: Reply, house: House, status: int, code: str, outcome: Outcome
) -> None:
    assert reply.status == status
    assert reply.error["code"] == code
    assert reply.headers["content-type"] == "application/json"
    row = house.ledger.only_row
    assert (row.outcome, row.reason, row.http_status) == (outcome, code, status)
    assert reply.headers["x-request-id"] == row.request_id
    assert house.service.requests == []


async def test_it_refuses_a_wrong_method_and_names_the_right_one(
    make_house: MakeHouse, client: Client
) -> None:
    house = make_house()
    reply = await client.open("DELETE", PATH).reply()
    assert_refused(reply, house, 405, "method_not_allowed", Outcome.INVALID)
    assert reply.headers["allow"] == "POST"


async def test_it_leaves_no_row_for_reading(
    make_house: MakeHouse, client: Client
) -> None:
    house = make_house()
    assert (await client.get(PATH)).status == 405
    assert (await client.get("/v1/models")).status == 200
    assert (await client.get("/v1/nothing")).status == 404
    assert house.ledger.started == house.ledger.finished == []


@pytest.mark.parametrize("path", ["/v1/nothing", "/v1/", "/v1", "/v1/a%0Ab", "/v1/a/"])
async def test_it_answers_an_unknown_path_in_json(
    make_house: MakeHouse, client: Client, path: str
) -> None:
    house = make_house()
    reply = await client.post(ASK, path=path).reply()
    assert_refused(reply, house, 404, "unknown_url", Outcome.INVALID)
    assert reply.error["message"].startswith("Unknown request URL: POST /v1")
    assert house.ledger.only_row.endpoint == "/v1/*"


async def test_it_refuses_new_requests_while_draining(
    make_house: MakeHouse, client: Client
) -> None:
    house = make_house()
    house.service.is_draining = True
    reply = await client.ask(ASK)
    assert_refused(reply, house, 503, "shutting_down", Outcome.REJECTED)
    assert reply.headers["connection"] == "close"
    assert reply.headers["retry-after"] == "5"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer wrong"},
        {"x_api_key": "wrong"},
        {"authorization": "sesame"},
    ],
    ids=["none", "bearer", "x-api-key", "no-scheme"],
)
async def test_it_refuses_an_unknown_key(
    make_house: MakeHouse, client: Client, headers: dict[str, str]
) -> None:
    house = make_house(key="sesame")
    reply = await client.ask(ASK, **headers)
    assert_refused(reply, house, 401, "invalid_api_key", Outcome.REJECTED)
    assert reply.headers["www-authenticate"] == "Bearer"
    assert (await client.get("/v1/models", **headers)).status == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer sesame"},
        {"authorization": "bearer  sesame"},
        {"x_api_key": "sesame"},
    ],
    ids=["bearer", "lower-case", "x-api-key"],
)
async def test_it_lets_the_key_in_and_notes_its_name(
    make_house: MakeHouse, client: Client, headers: dict[str, str]
) -> None:
    house = make_house(key="sesame")
    assert (await client.ask(ASK, **headers)).status == 200
    assert house.ledger.only_row.key_name == "api_key"


async def test_it_takes_any_key_where_none_is_needed(
    make_house: MakeHouse, client: Client
) -> None:
    house = make_house()
    assert (await client.ask(ASK, authorization="Bearer sk-dummy")).status == 200
    assert house.ledger.only_row.key_name == ""


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "cross-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://testserver:3000"},
        {"origin": "http://["},
        {"origin": "https://evil.example", "sec_fetch_site": "same-origin"},
    ],
)
async def test_it_refuses_a_page_of_another_site(
    make_house: MakeHouse, client: Client, headers: dict[str, str]
) -> None:
    house = make_house()
    reply = await client.ask(ASK, **headers)
    assert_refused(reply, house, 403, "cross_site_request", Outcome.REJECTED)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://testserver"},
        {"origin": "http://testserver", "sec_fetch_site": "same-origin"},
        {"sec_fetch_site": "same-origin"},
        {"sec_fetch_site": "none"},
        {"origin": "https://ui.example:8443", "sec_fetch_site": "cross-site"},
    ],
)
async def test_it_lets_its_own_pages_and_allowed_hosts_in(
    make_house: MakeHouse, client: Client, headers: dict[str, str]
) -> None:
    make_house(allowed_hosts=("ui.example", "*"))
    assert (await client.ask(ASK, **headers)).status == 200


async def test_it_does_not_read_a_wildcard_host_as_any_origin(
    make_house: MakeHouse, client: Client
) -> None:
    make_house(allowed_hosts=("*",))
    assert (await client.ask(ASK, origin="https://evil.example")).status == 403


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
    ],
)
async def test_it_refuses_a_body_that_is_not_declared_as_json(
    make_house: MakeHouse, client: Client, content_type: str
) -> None:
    house = make_house()
    headers = {"content-type": content_type}
    reply = await client.open("POST", PATH, body=b"{}", headers=headers).reply()
    assert_refused(reply, house, 415, "unsupported_media_type", Outcome.INVALID)


@pytest.mark.parametrize(
    "headers", [{}, {"content-type": "application/json; charset=utf-8"}]
)
async def test_it_takes_json_with_parameters_or_without_any_type(
    make_house: MakeHouse, client: Client, headers: dict[str, str]
) -> None:
    make_house()
    body = json.dumps(ASK).encode()
    reply = await client.open("POST", PATH, body=body, headers=headers).reply()
    assert reply.status == 200


async def test_it_refuses_a_body_that_declares_too_many_bytes(
    make_house: MakeHouse, client: Client
) -> None:
    house = make_house(limits=Limits(body_bytes=100))
    reply = await client.post(b" " * 101).reply()
    assert_refused(reply, house, 413, "request_too_large", Outcome.INVALID)


async def test_it_counts_the_bytes_of_a_chunked_body(
    make_house: MakeHouse, client: Client
) -> None:
    house = make_house(limits=Limits(body_bytes=100))
    pieces = [b" " * 10] * 11
    headers = {"content-type": "application/json"}
    reply = await client.open("POST", PATH, body=pieces, headers=headers).reply()
    assert_refused(reply, house, 413, "request_too_large", Outcome.INVALID)


async def test_it_takes_a_body_beyond_djangos_own_bound(
    make_house: MakeHouse, client: Client, settings: Any
) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    make_house()
    body = {"messages": [{"role": "user", "content": "x" * 1000}]}
    assert (await client.ask(body)).status == 200


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"nonsense",
        b'{"messages": [}',
        b'{"temperature": NaN}',
        b'{"temperature": Infinity}',
        b'{"temperature": 1e999}',
        b'{"seed": ' + b"1" * 5000 + b"}",
        b'{"model": "\xff"}',
        b'{"model": "\\ud800"}',
        b'{"a":' * 65 + b"1" + b"}" * 65,
        b'{"a":' + b"[" * 200_000,
        "{}".encode("utf-16"),
        b'{"messages": []} {}',
    ],
    ids=lambda raw: str(raw[:24]),
)
async def test_it_refuses_a_body_that_is_no_readable_json(
    make_house: MakeHouse, client: Client, raw: bytes
) -> None:
    house = make_house()
    reply = await client.post(raw).reply()
    assert_refused(reply, house, 400, "invalid_json", Outcome.INVALID)


@pytest.mark.parametrize("raw", [b"[]", b"null", b'"text"', b"1"])
async def test_it_refuses_a_body_that_is_no_object(
    make_house: MakeHouse, client: Client, raw: bytes
) -> None:
    house = make_house()
    reply = await client.post(raw).reply()
    assert_refused(reply, house, 400, "invalid_type", Outcome.INVALID)


async def test_it_names_the_parameter_at_fault_in_body_and_row(
    make_house: MakeHouse, client: Client
) -> None:
    house = make_house()
    reply = await client.ask(ASK | {"temperature": 3})
    assert_refused(reply, house, 400, "decimal_above_max_value", Outcome.INVALID)
    assert reply.error["type"] == "invalid_request_error"
    assert reply.error["param"] == "temperature"
    row = house.ledger.only_row
    assert row.error_param == "temperature"
    assert row.error == reply.error["message"]


async def test_it_refuses_a_model_that_is_not_served(
    make_house: MakeHouse, client: Client
) -> None:
    house = make_house()
    for stream in (False, True):
        reply = await client.ask(ASK | {"model": "gpt-9", "stream": stream})
        assert reply.status == 404
        assert reply.error["code"] == "model_not_found"
    assert [row.model_requested for row in house.ledger.finished] == ["gpt-9"] * 2
    assert {row.outcome for row in house.ledger.finished} == {Outcome.INVALID}


async def test_it_bounds_what_a_row_keeps_of_the_headers(
    make_house: MakeHouse, client: Client
) -> None:
    house = make_house()
    await client.ask(ASK, user_agent="u" * 5000, x_client_request_id="i" * 5000)
    row = house.ledger.only_row
    assert (len(row.user_agent), len(row.client_request_id)) == (512, 512)


async def test_it_needs_no_csrf_token(make_house: MakeHouse, client: Client) -> None:
    make_house(*HELLO)
    assert (await client.ask(ASK, cookie="csrftoken=x; sessionid=y")).status == 200
