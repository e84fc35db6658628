"""What a prompt is made of: /tokenize, /detokenize, and what chat would read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tokenizers import Tokenizer

from mlxsite.openapi import document
from tests.pictures import data_url

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.servers import Server

TEXT = "Grüezi, <|im_end|>\n"
HELLO = [{"role": "user", "content": "Hello"}]
TOOL: Any = {"type": "function", "function": {"name": "look"}}
RENDER = "/v1/chat/completions/render"


@pytest.fixture(scope="module")
def server(tiny_server: Server) -> Server:
    """A small model that sees."""
    return tiny_server


@pytest.fixture(scope="module")
def tokenizer(tiny_model_dir: Path) -> Tokenizer:
    """The model's own tokenizer."""
    return Tokenizer.from_file(str(tiny_model_dir / "tokenizer.json"))


def post(server: Server, path: str, **body: Any) -> httpx.Response:
    return httpx.post(server.base_url + path, json=body, timeout=60)


def told(server: Server, path: str, **body: Any) -> dict[str, Any]:
    answer = post(server, path, **body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_text_becomes_the_tokens_of_the_models_tokenizer_and_is_a_text_again(
    server: Server, tokenizer: Tokenizer
) -> None:
    found = told(server, "/tokenize", prompt=TEXT, return_token_strs=True)
    encoding = tokenizer.encode(TEXT)
    assert found["tokens"] == encoding.ids
    assert found["token_strs"] == encoding.tokens
    assert found["count"] == len(encoding.ids)
    (model,) = server.get("/v1/models")["data"]
    assert found["max_model_len"] == model["context_length"]
    assert told(server, "/detokenize", tokens=found["tokens"]) == {"prompt": TEXT}


@pytest.mark.slow
def test_a_text_may_go_without_the_tokens_around_it(smollm2_server: Server) -> None:
    bare = told(smollm2_server, "/tokenize", prompt="Hello", add_special_tokens=False)
    assert bare["token_strs"] is None
    assert told(smollm2_server, "/detokenize", tokens=bare["tokens"]) == {
        "prompt": "Hello"
    }


def test_a_conversation_is_told_as_the_model_reads_it(
    server: Server, tokenizer: Tokenizer
) -> None:
    shown = told(server, RENDER, messages=HELLO, tools=[TOOL], max_tokens=1)
    assert "Hello" in shown["prompt"]
    assert "look" in shown["prompt"]
    assert shown["tokens"] == tokenizer.encode(shown["prompt"]).ids
    same = told(server, "/tokenize", messages=HELLO, tools=[TOOL])
    assert same["tokens"] == shown["tokens"]
    answer = server.client().chat.completions.create(
        model="tiny-qwen2-vl",
        messages=HELLO,
        tools=[TOOL],
        max_tokens=1,
    )
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == shown["count"]
    closed = told(server, "/tokenize", messages=HELLO, add_generation_prompt=False)
    assert closed["count"] < same["count"]


def test_images_of_a_conversation_have_their_tokens(server: Server) -> None:
    url = data_url("red", 56)
    parts = [{"type": "image_url", "image_url": {"url": url}}]
    seen = told(server, RENDER, messages=[{"role": "user", "content": parts}])
    assert seen["count"] > told(server, RENDER, messages=HELLO)["count"]


def test_each_leaves_its_row_which_is_no_generation(server: Server) -> None:
    before = server.count_rows()
    found = told(server, "/tokenize", prompt=TEXT, user="ann", nobody_knows=1)
    told(server, "/detokenize", tokens=found["tokens"])
    told(server, RENDER, messages=HELLO)
    post(server, "/tokenize", prompt=3)
    rows = list(server.wait_rows(before + 4).values())[-4:]
    assert [(row["endpoint"], row["outcome"]) for row in rows] == [
        ("/tokenize", "finished"),
        ("/detokenize", "finished"),
        (RENDER, "finished"),
        ("/tokenize", "invalid"),
    ]
    assert rows[0]["prompt_tokens"] == rows[1]["prompt_tokens"] == found["count"]
    assert not any(row["completion_tokens"] or row["kind"] for row in rows)


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/tokenize", {}, "prompt"),
        ("/tokenize", {"prompt": ""}, "prompt"),
        ("/tokenize", {"prompt": "a", "messages": HELLO}, "messages"),
        ("/tokenize", {"prompt": "word " * 100_000}, "prompt"),
        (
            "/tokenize",
            {"messages": HELLO, "add_special_tokens": True},
            "add_special_tokens",
        ),
        (
            "/tokenize",
            {"messages": HELLO, "continue_final_message": True},
            "messages[0].role",
        ),
        ("/detokenize", {}, "tokens"),
        ("/detokenize", {"tokens": []}, "tokens"),
        ("/detokenize", {"tokens": [-1]}, "tokens[0]"),
        ("/detokenize", {"tokens": [2**30]}, "tokens"),
        (RENDER, {"messages": HELLO, "temperature": 9}, "temperature"),
        (RENDER, {"messages": HELLO, "guided_regex": "("}, "guided_regex"),
    ],
)
def test_what_has_no_tokens_is_refused_by_the_name_of_its_field(
    server: Server, path: str, body: dict[str, Any], param: str
) -> None:
    refused = post(server, path, **body)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)
    assert "400" in document()["paths"][path]["post"]["responses"]


def test_an_address_under_v1_is_told_where_they_are(server: Server) -> None:
    refused = post(server, "/v1/tokenize", prompt="a")
    assert refused.status_code == 404
    assert "use /tokenize" in refused.json()["error"]["message"]
