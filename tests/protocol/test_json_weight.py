"""What a large body weighs: keys and values, not the bytes of its texts."""

from __future__ import annotations

import json
import threading
from typing import Any

import msgspec
import pytest

from inference.core.errors import InvalidRequestError
from inference.core.limits import DEFAULT_LIMITS, MIB, Limits
from inference.protocol.json_body import parse_object, read_object
from inference.protocol.json_weight import check_weight

ASKED = {"role": "user", "content": "Is 1, [2], {3}: 4?"}
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
PROPERTIES = {f"p{number}": {"type": "string", "enum": ["a"]} for number in range(50)}
PARAMETERS = {"type": "object", "properties": PROPERTIES}
LEGITIMATE = {
    "a conversation": {"messages": [ASKED] * 4096},
    "calls": {"messages": [{"role": "assistant", "tool_calls": [CALL]}] * 4096},
    "tools": {"tools": [{"function": {"parameters": PARAMETERS}}] * 128},
    "a picture": {"url": "data:image/png;base64," + "A" * 27 * MIB},
    "a text of code": {"content": 'if (a["b"]) { c: [1, 2], "\\\\" }\n' * 200_000},
    "token ids": {"prompt_token_ids": list(range(90_000))},
    "biases": {"logit_bias": {str(token): -1.5 for token in range(1024)}},
    "floats": {"x": [1.2345678901234567e-300, -0.1, 1e22] * 30_000},
}


def weighs(raw: bytes, **limits: int) -> bool:
    """Whether a body passes."""
    try:
        check_weight(raw, limits=Limits(**limits))
    except InvalidRequestError:
        return False
    return True


@pytest.mark.parametrize("name", LEGITIMATE)
async def test_what_people_send_passes_as_it_is(name: str) -> None:
    body = LEGITIMATE[name]
    raw = json.dumps(body, indent=2).encode()
    assert len(raw) > 10_000
    assert await read_object(raw, limits=DEFAULT_LIMITS) == body


@pytest.mark.parametrize(
    ("value", "elements"),
    [
        ({"a": 1, "b": [1, {}]}, 7),
        ([1, 2, 3], 3),
        ([[], {}, "a,b"], 5),
        (["[,:{" * 9_000, '"' * 9_000, "\\" * 49_151, "\\" * 49_152, {"a": 1}], 7),
    ],
)
def test_keys_values_and_brackets_count_and_texts_do_not(
    value: Any, elements: int
) -> None:
    raw = msgspec.json.encode(value)
    assert weighs(raw, json_elements=elements)
    assert not weighs(raw, json_elements=elements - 1)


@pytest.mark.parametrize("shift", range(4))
def test_an_escape_between_two_pieces_ends_no_text(shift: int) -> None:
    text = "x" * shift + '\\"' * 100_000 + ",,,,"
    assert weighs(msgspec.json.encode({"a": text}), json_elements=2)


def test_a_number_of_many_digits_is_refused_and_a_text_of_them_is_not() -> None:
    assert weighs(b'["%s", %s]' % (b"1" * 9_000, b"1" * 64))
    assert not weighs(b"[%s]" % (b"1" * 65))
    assert not weighs(b"[-0.%se-5]" % (b"1" * 64))


def test_floats_are_read_while_other_threads_go_on() -> None:
    """The decoder by itself takes a second for these, and holds all others up."""
    raw = b'{"x":[' + b",".join([b"1.2345678901234567e-300"] * 99_000) + b"]}"
    turns, has_begun, is_over = 0, threading.Event(), threading.Event()

    def take_turns() -> None:
        nonlocal turns
        while not is_over.wait(0.001):
            turns += 1
            has_begun.set()

    other = threading.Thread(target=take_turns)
    other.start()
    has_begun.wait()
    turns = 0
    body = parse_object(raw, depth=8)
    is_over.set()
    other.join()
    assert body["x"][0] == 1.2345678901234567e-300
    assert turns > 5
