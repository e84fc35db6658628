"""How a body is declared and read: what another endpoint's body gets for its fields."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from msgspec import Struct

from inference.core.errors import InvalidRequestError
from inference.core.limits import DEFAULT_LIMITS, Limits
from inference.core.requests import SamplingRequest
from inference.faces.chat.body import to_request
from inference.faces.prepare import prepare
from inference.protocol.body import parameters_of, read_body
from inference.protocol.declared import Bound, Lax, Said
from inference.protocol.openapi.parameters import body_schemas
from inference.protocol.sampling_fields import GenerationBody, to_sampling
from tests.protocol.cast import MESSAGES, fault_of, refusal_of

WHOLE = Lax(
    lambda sent, _: int(sent) if isinstance(sent, float) and sent % 1 == 0 else sent
)
NOTHING_AS_EMPTY = Lax(lambda sent, _: "" if sent is None else sent)


class LineBody(Struct):
    """A line of text."""

    text: Annotated[str, Bound(max_length="name_chars"), NOTHING_AS_EMPTY]
    size: int | None = None


class EchoBody(GenerationBody, kw_only=True):
    """What a further endpoint might take."""

    lines: Annotated[list[LineBody], Bound(max_length="stops"), Said("What to repeat.")]
    width: Annotated[int, Bound(ge=1, le=80), WHOLE, Said("How wide.")] = 80


def read(limits: Limits = DEFAULT_LIMITS, **sent: Any) -> tuple[EchoBody, list[str]]:
    return read_body(EchoBody, sent, limits=limits)


def fault(limits: Limits = DEFAULT_LIMITS, **sent: Any) -> tuple[str, str | None]:
    with pytest.raises(InvalidRequestError) as refused:
        read(limits, **sent)
    return refused.value.code, refused.value.param


def test_another_body_shares_the_fields_of_the_sampler() -> None:
    body, ignored = read(lines=[{"text": "a"}], temperature=1, stop="x", top_k=None)
    assert [line.text for line in body.lines] == ["a"]
    assert to_sampling(body) == SamplingRequest(temperature=1.0, stop=("x",))
    assert ignored == []


def test_no_request_waits_for_the_types_of_its_body() -> None:
    limits = Limits(messages=7)
    prepare(limits)
    made = parameters_of.cache_info().misses
    to_request({"messages": MESSAGES}, limits=limits)
    assert parameters_of.cache_info().misses == made


def test_faults_are_named_in_the_order_they_were_sent() -> None:
    bad = {"width": 0, "lines": [{"text": "a"}, {"text": 1}]}
    assert fault(**bad) == ("integer_below_min_value", "width")
    assert fault(**dict(reversed(bad.items()))) == ("invalid_type", "lines[1].text")
    assert fault(width=2) == ("missing_required_parameter", "lines")
    assert fault(lines=None) == ("missing_required_parameter", "lines")


def test_bounds_by_name_follow_the_limits_at_any_depth() -> None:
    lines = [{"text": "abc"}, {"text": "abc"}]
    assert len(read(Limits(name_chars=3, stops=2), lines=lines)[0].lines) == 2
    assert fault(Limits(name_chars=2), lines=lines)[1] == "lines[0].text"
    assert fault(Limits(stops=1), lines=lines) == ("array_above_max_length", "lines")


def test_unknown_names_are_listed_at_any_depth_once() -> None:
    lines = [{"text": "a", "ink": 1}, {"text": "b", "ink": 2, "pen": None}]
    body, ignored = read(mirostat=1, lines=lines)
    assert [line.text for line in body.lines] == ["a", "b"]
    assert ignored == ["mirostat", "lines[].ink"]


def test_a_field_is_loosened_where_it_is_declared_and_nowhere_else() -> None:
    body, ignored = read(
        width=3.0, lines=[{"text": None, "ink": 1}, {}, {"text": "b", "size": 1}]
    )
    assert body.width == 3
    assert [(line.text, line.size) for line in body.lines] == [
        ("", None),
        ("", None),
        ("b", 1),
    ]
    assert ignored == ["lines[].ink"]
    assert fault(width=3.5, lines=[]) == ("invalid_type", "width")
    assert fault(width=81.0, lines=[]) == ("integer_above_max_value", "width")
    assert fault(lines=[{"text": None, "size": 3.0}]) == (
        "invalid_type",
        "lines[0].size",
    )


def test_its_schema_is_made_from_the_same_declaration() -> None:
    schemas = body_schemas(EchoBody, limits=Limits(stops=7))
    echo = schemas["Echo"]
    assert echo["required"] == ["lines"]
    assert echo["properties"]["lines"] == {
        "type": "array",
        "items": {"$ref": "#/components/schemas/Line"},
        "maxItems": 7,
        "description": "What to repeat.",
    }
    assert {"type": "integer", "minimum": 1, "maximum": 80} in echo["properties"][
        "width"
    ]["anyOf"]
    assert "temperature" in echo["properties"]
    assert schemas["Line"]["properties"]["text"] == {
        "type": "string",
        "maxLength": DEFAULT_LIMITS.name_chars,
    }


@pytest.mark.parametrize(
    ("name", "value", "param"),
    [
        ("stop_token_ids", [1, None], "stop_token_ids[1]"),
        ("logit_bias", {"1": None}, "logit_bias.'1'"),
    ],
)
def test_null_in_a_list_is_a_wrong_type(name: str, value: Any, param: str) -> None:
    assert fault_of(**{name: value}) == ("invalid_type", param)


def test_a_line_break_ends_no_name() -> None:
    within = {"name": "f\n", "schema": {}}
    form = {"type": "json_schema", "json_schema": within}
    said = refusal_of(response_format=form).message
    assert "Expected '^[A-Za-z0-9_-]{1,64}$'." in said


@pytest.mark.parametrize("role", ["system", "developer", "user", "tool"])
@pytest.mark.parametrize("nothing", ["", [], {}, 0, False])
def test_what_is_empty_may_stand_in_any_message(role: str, nothing: Any) -> None:
    keys = ("tool_calls", "refusal", "reasoning_content", "function_call", "audio")
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": ""}}
    said = {"role": role, "content": "x", **dict.fromkeys(keys, nothing)}
    if role == "tool":
        said["tool_call_id"] = "c"
    messages = [{"role": "assistant", "tool_calls": [call]}, said, {"role": "user"}]
    assert fault_of(messages=messages)[1] == "messages[2].content"
