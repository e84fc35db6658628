"""Bodies of embeddings and rankings, and what their answers look like."""

from __future__ import annotations

import struct
from typing import Any

import msgspec
import pytest

from inference.core.encoding import Encoded, EncoderTraits, Relevance, Rerank
from inference.core.errors import InvalidRequestError
from inference.core.limits import DEFAULT_LIMITS
from inference.core.requests import TextPrompt, TokenPrompt
from inference.faces.embeddings.answer import embeddings_body
from inference.faces.embeddings.body import to_request
from inference.faces.rerank.answer import ranking_body
from inference.faces.rerank.body import HowToRank
from inference.faces.rerank.body import to_request as to_ranking


def read(**body: Any) -> Any:
    return to_request(body, limits=DEFAULT_LIMITS)


@pytest.mark.parametrize(
    ("sent", "inputs", "path"),
    [
        ("a", (TextPrompt("a"),), "input"),
        (["a"], (TextPrompt("a"),), "input[0]"),
        ([5, 6], (TokenPrompt((5, 6)),), "input"),
        ([[5], [6]], (TokenPrompt((5,)), TokenPrompt((6,))), "input[0]"),
    ],
)
def test_inputs_are_read_in_every_form(
    sent: Any, inputs: tuple[Any, ...], path: str
) -> None:
    request, as_base64 = read(input=sent, model="m", user="me", odd=1)
    assert request.work.inputs == request.prompts == inputs
    assert request.work.path_of(0, EncoderTraits(4)) == path
    assert (request.model, as_base64) == ("m", False)
    assert request.params == {"user": "me", "ignored": ["odd"]}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": [True]}, "input[0]"),
        ({"input": [[2**31]]}, "input[0][0]"),
        ({"input": {"text": "a"}}, "input"),
        ({"input": ["a", 5]}, "input[1]"),
        ({"input": "a", "truncate_prompt_tokens": -2}, "truncate_prompt_tokens"),
        ({"input": "a", "dimensions": 65_537}, "dimensions"),
        ({"input": "a", "encoding_format": "int8"}, "encoding_format"),
    ],
)
def test_what_is_out_of_bounds_is_refused_by_name(
    body: dict[str, Any], param: str
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        read(**body)
    assert caught.value.param == param


async def test_a_large_answer_is_that_of_its_vectors_one_by_one() -> None:
    numbers = [0.5 * place for place in range(40_000)]
    encoded = Encoded(struct.pack("<40000f", *numbers), width=4, tokens=9)
    body = msgspec.json.decode(await embeddings_body(encoded, "m", as_base64=False))
    assert [each["index"] for each in body["data"]] == list(range(10_000))
    assert [n for each in body["data"] for n in each["embedding"]] == numbers
    assert body["usage"] == {"prompt_tokens": 9, "total_tokens": 9}


def test_a_ranking_tells_the_best_first_and_texts_where_asked() -> None:
    work = Rerank(query="q", documents=("a", "b", "c", "d"))
    found = Relevance((0.25, 0.5, 0.5, 0.125), tokens=7, by_vectors=False)
    body = ranking_body(
        found, work, HowToRank(3, tells_texts=True), request_id="req-1", model="m"
    )
    assert [each["index"] for each in body["results"]] == [1, 2, 0]
    assert body["results"][0]["document"] == {"text": "b"}
    assert (body["id"], body["meta"]) == ("rerank-1", {"tokens": {"input_tokens": 7}})


def test_documents_are_strings_or_objects_with_a_text() -> None:
    body = {"query": "q", "documents": ["a", {"text": "b", "id": 4}], "top_n": 1}
    request, how = to_ranking(body, limits=DEFAULT_LIMITS)
    assert request.work.documents == ("a", "b")
    assert how == HowToRank(1, tells_texts=False)
    traits = EncoderTraits(1, scores=True)
    assert request.work.path_of(1, traits) == "documents[1]"
    assert request.params["ignored"] == ["documents[].id"]
