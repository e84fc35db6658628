"""Which bytes count as a body; the front door's table is in tests/api."""

from __future__ import annotations

import pytest

from inference.core.errors import InvalidRequestError
from inference.protocol.json_body import parse_object


def nested(levels: int) -> bytes:
    return b'{"a":' * levels + b"1" + b"}" * levels


def test_it_reads_as_deep_as_allowed_and_no_deeper() -> None:
    assert parse_object(nested(8), depth=8)
    with pytest.raises(InvalidRequestError, match="too deeply"):
        parse_object(nested(9), depth=8)


def test_it_does_not_take_many_objects_for_deep_ones() -> None:
    raw = b'{"a": [' + b",".join([b"{}"] * 100) + b"]}"
    assert len(parse_object(raw, depth=8)["a"]) == 100


def test_it_does_not_take_brackets_in_text_for_depth() -> None:
    assert parse_object(b'{"a": "' + b"[{" * 100 + b'"}', depth=8)


def test_it_reads_a_byte_order_mark_and_the_last_of_equal_keys() -> None:
    assert parse_object(b'\xef\xbb\xbf{"a": 1, "a": 2}', depth=8) == {"a": 2}


def test_it_reads_a_surrogate_pair_and_refuses_half_of_one() -> None:
    assert parse_object(b'{"a": "\\ud83d\\ude00"}', depth=8) == {"a": "\U0001f600"}
    with pytest.raises(InvalidRequestError) as refused:
        parse_object(b'{"a": "\\ud83d!"}', depth=8)
    assert refused.value.code == "invalid_json"
