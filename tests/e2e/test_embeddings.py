"""Embeddings and rankings from outside: SDKs, cuts, refusals, rows, several models."""

from __future__ import annotations

import base64
import http.client
import json
import struct
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import openai
import pytest

from tests.e2e.servers import PATIENCE_S, Server, wait_until
from tests.models.random_encoders import write_random_encoder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MODEL = "all-MiniLM-L6-v2"
CAT, KITTEN, STOCKS = "A cat sits.", "A kitten is sitting.", "Stocks fell today."
LONG = "one two three four five " * 60


def create(server: Server, said: Any, **options: Any) -> Any:
    return server.client().embeddings.create(model=MODEL, input=said, **options)


def post(server: Server, path: str, **body: Any) -> dict[str, Any]:
    asked = urllib.request.Request(
        server.base_url + path,
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(asked, timeout=PATIENCE_S) as answer:
        parsed: dict[str, Any] = json.load(answer)
        return parsed


def refused(server: Server, path: str, **body: Any) -> tuple[int, dict[str, Any]]:
    with pytest.raises(urllib.error.HTTPError) as caught:
        post(server, path, **body)
    error: dict[str, Any] = json.load(caught.value)["error"]
    return caught.value.code, error


def newest(server: Server, endpoint: str) -> dict[str, Any]:
    """Return the last row of an endpoint, once nothing runs."""
    server.count_rows()
    rows = [row for row in server.rows().values() if row["endpoint"] == endpoint]
    return rows[-1]


def dot(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def test_the_sdk_reads_the_same_vectors_in_either_format(minilm_server: Server) -> None:
    said = [CAT, KITTEN, STOCKS]
    usual = create(minilm_server, said)
    floats = create(minilm_server, said, encoding_format="float")
    assert [each.index for each in usual.data] == [0, 1, 2]
    for one, other in zip(usual.data, floats.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding, abs=1e-6)
        assert len(one.embedding) == 384
    cat, kitten, stocks = (each.embedding for each in usual.data)
    assert dot(cat, kitten) > 0.7 > 0.3 > dot(cat, stocks)
    assert (usual.model, usual.object) == (MODEL, "list")
    assert usual.usage.prompt_tokens == usual.usage.total_tokens == 19


def test_bytes_in_base64_are_little_endian(minilm_server: Server) -> None:
    body = {"model": MODEL, "input": CAT}
    floats = post(minilm_server, "/v1/embeddings", **body)["data"][0]["embedding"]
    packed = post(minilm_server, "/v1/embeddings", **body, encoding_format="base64")[
        "data"
    ][0]["embedding"]
    assert list(struct.unpack("<384f", base64.b64decode(packed))) == floats


def test_token_ids_are_taken_as_they_are(minilm_server: Server) -> None:
    ids = [101, 1037, 4937, 7719, 1012, 102]
    text, one = create(minilm_server, CAT), create(minilm_server, ids)
    both = create(minilm_server, [ids, ids[:3]])
    assert one.data[0].embedding == pytest.approx(text.data[0].embedding, abs=1e-6)
    assert both.data[0].embedding == pytest.approx(one.data[0].embedding, abs=1e-5)
    assert (one.usage.prompt_tokens, both.usage.prompt_tokens) == (6, 9)


def test_many_texts_of_many_lengths_come_back_in_their_order(
    minilm_server: Server,
) -> None:
    said = [f"{'word ' * (place % 37)}number {place}" for place in range(300)]
    together = create(minilm_server, said).data
    assert [each.index for each in together] == list(range(300))
    for place in (0, 36, 150, 299):
        alone = create(minilm_server, said[place]).data[0].embedding
        assert together[place].embedding == pytest.approx(alone, abs=1e-4)


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"input": [CAT, CAT, CAT, LONG]}, "input[3]", "context_length_exceeded"),
        ({"input": LONG}, "input", "context_length_exceeded"),
        ({"input": ""}, "input", "empty_string"),
        ({"input": []}, "input", "empty_array"),
        ({"input": [CAT, ""]}, "input[1]", "empty_string"),
        ({"input": [[]]}, "input[0]", "empty_array"),
        ({"input": [CAT, [1]]}, "input[1]", "invalid_value"),
        ({"input": [[1, 40_000]]}, "input[0]", "invalid_value"),
        ({"input": [[1, -1]]}, "input[0][1]", "invalid_value"),
        ({"input": ["a"] * 2049}, "input", "array_above_max_length"),
        ({"input": 5}, "input", "invalid_type"),
        ({}, "input", "missing_required_parameter"),
        ({"input": CAT, "dimensions": 128}, "dimensions", "unsupported_parameter"),
        ({"input": CAT, "dimensions": 0}, "dimensions", "integer_below_min_value"),
        ({"input": CAT, "encoding_format": "x"}, "encoding_format", "invalid_value"),
        (
            {"input": CAT, "truncate_prompt_tokens": 0},
            "truncate_prompt_tokens",
            "invalid_value",
        ),
        (
            {"input": CAT, "truncate_prompt_tokens": 2},
            "truncate_prompt_tokens",
            "invalid_value",
        ),
    ],
)
def test_what_cannot_be_embedded_is_refused_by_name(
    body: dict[str, Any], param: str, code: str, minilm_server: Server
) -> None:
    status, error = refused(minilm_server, "/v1/embeddings", model=MODEL, **body)
    assert (status, error["param"], error["code"]) == (400, param, code)
    row = newest(minilm_server, "/v1/embeddings")
    assert (row["outcome"], row["reason"], row["error_param"]) == (
        "invalid",
        code,
        param,
    )


def test_the_sdk_maps_its_errors(minilm_server: Server) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        create(minilm_server, CAT, dimensions=64)
    assert caught.value.param == "dimensions"
    with pytest.raises(openai.NotFoundError):
        minilm_server.client().embeddings.create(model="nobody", input=CAT)
    whole = create(minilm_server, CAT, dimensions=384)
    assert len(whole.data[0].embedding) == 384


def test_what_is_too_long_is_cut_where_that_is_asked_for(minilm_server: Server) -> None:
    cut = create(minilm_server, [LONG, CAT], extra_body={"truncate_prompt_tokens": -1})
    assert cut.usage.prompt_tokens == 256 + 6
    row = newest(minilm_server, "/v1/embeddings")
    assert json.loads(row["warnings"]) == ["inputs cut to fit: 1"]
    five = create(minilm_server, CAT, extra_body={"truncate_prompt_tokens": 5})
    ids = create(minilm_server, [101, 1037, 4937, 7719, 102])
    assert five.data[0].embedding == pytest.approx(ids.data[0].embedding, abs=1e-5)


def test_an_encoder_is_listed_and_writes_no_text(minilm_server: Server) -> None:
    card = minilm_server.get(f"/v1/models/{MODEL}")
    assert (card["kind"], card["capabilities"]) == ("encoder", ["embeddings"])
    assert card["context_length"] == 256
    client = minilm_server.client()
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "Hi"}]
        )
    assert (caught.value.code, caught.value.param) == ("unsupported_model", "model")


def test_its_row_tells_the_tokens_and_no_speed(minilm_server: Server) -> None:
    before = minilm_server.get("/v1/queue/stats")["metrics"]
    create(minilm_server, [CAT, CAT], user="me", extra_body={"odd": 1})
    row = newest(minilm_server, "/v1/embeddings")
    assert (row["outcome"], row["http_status"], row["phase"]) == (
        "finished",
        200,
        "prefill",
    )
    assert (row["model"], row["prompt_tokens"], row["kind"]) == (MODEL, 12, "")
    assert (row["completion_tokens"], row["tps"], row["decode_tps"]) == (None,) * 3
    assert (row["user"], row["admitted"]) == ("me", 1)
    assert json.loads(row["params"])["ignored"] == ["odd"]
    after = minilm_server.get("/v1/queue/stats")["metrics"]
    assert after["request_types"] == before["request_types"]
    assert after["performance"] == before["performance"]
    assert after["outcomes"]["finished"] > before["outcomes"]["finished"]


@pytest.mark.parametrize("path", ["/v1/rerank", "/v2/rerank", "/rerank"])
def test_documents_are_ranked_by_embeddings_and_that_is_said(
    path: str, minilm_server: Server
) -> None:
    found = post(
        minilm_server,
        path,
        model=MODEL,
        query="Where does the cat sit?",
        documents=[STOCKS, {"text": KITTEN}, CAT],
        top_n=2,
        return_documents=True,
    )
    best, second = found["results"]
    assert (best["index"], second["index"]) == (2, 1)
    assert best["document"] == {"text": CAT}
    assert 1 > best["relevance_score"] > second["relevance_score"] > 0.3
    assert "no cross-encoder" in found["meta"]["warnings"][0]
    row = newest(minilm_server, "/v1/rerank")
    assert row["prompt_tokens"] == found["usage"]["total_tokens"]
    assert "no cross-encoder" in row["warnings"]


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        (
            {"query": CAT, "documents": [CAT, LONG]},
            "documents[1]",
            "context_length_exceeded",
        ),
        ({"query": LONG, "documents": [CAT]}, "query", "context_length_exceeded"),
        ({"query": "", "documents": [CAT]}, "query", "empty_string"),
        ({"query": CAT, "documents": []}, "documents", "empty_array"),
        (
            {"query": CAT, "documents": [CAT, {"text": ""}]},
            "documents[1].text",
            "empty_string",
        ),
        (
            {"query": CAT, "documents": [{"title": CAT}]},
            "documents[0].text",
            "missing_required_parameter",
        ),
        (
            {"query": CAT, "documents": [CAT] * 1001},
            "documents",
            "array_above_max_length",
        ),
        (
            {"query": CAT, "documents": [CAT], "top_n": 0},
            "top_n",
            "integer_below_min_value",
        ),
        ({"documents": [CAT]}, "query", "missing_required_parameter"),
    ],
)
def test_what_cannot_be_ranked_is_refused_by_name(
    body: dict[str, Any], param: str, code: str, minilm_server: Server
) -> None:
    status, error = refused(minilm_server, "/v1/rerank", model=MODEL, **body)
    assert (status, error["param"], error["code"]) == (400, param, code)


@pytest.fixture(scope="module")
def mixed_server(
    rambler_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A text model that makes embeddings, and a cross-encoder beside it."""
    folder = tmp_path_factory.mktemp("mixed")
    data = folder / "data"
    models = data / "models"
    models.mkdir(parents=True)
    write_random_encoder(models / "judge", architecture="BertForSequenceClassification")
    (data / "models.toml").write_text(
        f'[models."talker"]\nsource = "{rambler_dir}"\nembeddings = true\n'
        f'[models."narrow"]\nsource = "{rambler_dir}"\nembeddings = true\n'
        "max_concurrency = 1\n"
    )
    server = Server(data, rambler_dir)
    yield server.wait_ready()
    server.kill()


def test_a_cross_encoder_is_found_loaded_and_scores(mixed_server: Server) -> None:
    documents = ["the sea", "a cat", "one two three"]
    found = post(
        mixed_server, "/v1/rerank", model="judge", query="the dog", documents=documents
    )
    scores = [each["relevance_score"] for each in found["results"]]
    assert scores == sorted(scores, reverse=True)
    assert sorted(each["index"] for each in found["results"]) == [0, 1, 2]
    assert all(0 < score < 1 for score in scores)
    assert "warnings" not in found["meta"]
    card = mixed_server.get("/v1/models/judge")
    assert (card["state"], card["kind"]) == ("ready", "encoder")
    assert card["capabilities"] == ["rerank"]
    status, error = refused(mixed_server, "/v1/embeddings", model="judge", input="a")
    assert (status, error["code"]) == (400, "unsupported_model")


def test_a_text_model_makes_embeddings_where_its_settings_say_so(
    mixed_server: Server,
) -> None:
    status, error = refused(mixed_server, "/v1/embeddings", model="rambler", input="a")
    assert (status, error["code"], error["param"]) == (
        400,
        "unsupported_model",
        "model",
    )
    client = mixed_server.client()
    said = ["one", "one two three four five six seven"]
    found = client.embeddings.create(model="talker", input=said)
    for place, each in enumerate(said):
        alone = client.embeddings.create(model="talker", input=each).data[0].embedding
        assert dot(alone, alone) == pytest.approx(1, abs=1e-4)
        assert found.data[place].embedding == pytest.approx(alone, abs=1e-4)
    assert "embeddings" in mixed_server.get("/v1/models/talker")["capabilities"]


def test_answers_go_on_while_a_text_model_makes_embeddings(
    mixed_server: Server,
) -> None:
    client = mixed_server.client()
    with client.completions.create(
        model="talker", prompt="one", max_tokens=4000, stream=True
    ) as stream:
        chunks = iter(stream)
        next(chunks)
        found = client.embeddings.create(model="talker", input=["word " * 200] * 20)
        assert len(found.data) == 20
        assert next(chunks).choices[0].finish_reason is None


def test_who_hangs_up_in_line_leaves_a_row_and_no_work(mixed_server: Server) -> None:
    def in_line() -> bool:
        listed = mixed_server.get("/v1/queue/requests")["data"]
        return any(each["phase"] == "queued" for each in listed)

    client = mixed_server.client()
    with client.completions.create(
        model="narrow", prompt="one", max_tokens=4000, stream=True
    ) as stream:
        next(iter(stream))
        waiting = http.client.HTTPConnection("127.0.0.1", mixed_server.port)
        body = json.dumps({"model": "narrow", "input": "one"})
        headers = {"Content-Type": "application/json"}
        waiting.request("POST", "/v1/embeddings", body, headers)
        wait_until(in_line, "a request in line")
        waiting.close()
        wait_until(lambda: not in_line(), "an empty line")
    row = newest(mixed_server, "/v1/embeddings")
    assert (row["outcome"], row["phase"]) == ("cancelled", "queued")
    assert (row["reason"], row["http_status"]) == ("client_disconnected", 499)
    again = client.embeddings.create(model="narrow", input="one")
    assert again.usage.prompt_tokens == row["prompt_tokens"]
