"""Texts of megabytes: refused, and nobody else of the same model is moved."""

from __future__ import annotations

import json
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import openai
import pytest
from tokenizers import Tokenizer

from tests.e2e.servers import SOON_S

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.conftest import StartServer
    from tests.e2e.servers import Server

pytestmark = pytest.mark.slow

HELLO = [{"role": "user", "content": "Hello"}]
MANY = 16_000_000
STREAMED = 2000


def texts() -> Iterator[tuple[str, str]]:
    """Yield texts of megabytes, each by what it repeats."""
    yield "prose", "hello world " * (MANY // 12)
    yield "blanks", " " * MANY
    yield "one letter", "a" * MANY
    yield "line breaks", "\n" * MANY
    yield "turns", "<|im_end|>" * (MANY // 10)
    # Each is three bytes: the largest text that a body holds.
    yield "signs", "漢" * 10_000_000


def user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def ask(server: Server, **options: Any) -> Any:
    model = server.get("/v1/models")["data"][0]["id"]
    return server.client(timeout=600).chat.completions.create(
        **{"model": model, "messages": HELLO, "max_tokens": 3, **options}
    )


class Listener:
    """Reads a long answer, and notes the longest time without a piece of it."""

    def __init__(self, server: Server) -> None:
        self.gap_s = 0.0
        self.pieces = 0
        self.end = ""
        self.has_begun = threading.Event()
        self._answer = ask(
            server,
            stream=True,
            max_tokens=STREAMED,
            temperature=0,
            extra_body={"ignore_eos": True},
            stream_options={"include_usage": True},
        )
        self.tokens = 0
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def wait(self) -> None:
        self._thread.join()

    def _read(self) -> None:
        last = time.monotonic()
        for chunk in self._answer:
            now = time.monotonic()
            if self.has_begun.is_set():
                self.gap_s = max(self.gap_s, now - last)
            last = now
            self.has_begun.set()
            if chunk.usage is not None:
                self.tokens = chunk.usage.completion_tokens
            for choice in chunk.choices:
                self.end = choice.finish_reason or self.end


def attacked(server: Server, text: str) -> openai.BadRequestError:
    """Return the refusal of a text, while its model answers others at once."""
    listener = Listener(server)
    assert listener.has_begun.wait(SOON_S)
    with ThreadPoolExecutor(1) as attacker:
        attack = attacker.submit(ask, server, messages=user(text))
        waits = []
        while not attack.done():
            asked = time.monotonic()
            assert ask(server).choices
            waits.append(time.monotonic() - asked)
        refusal = attack.exception()
    listener.wait()
    assert isinstance(refusal, openai.BadRequestError)
    assert refusal.param == "messages"
    assert max(waits) < SOON_S
    assert listener.gap_s < SOON_S
    assert (listener.tokens, listener.end) == (STREAMED, "length")
    return refusal


@pytest.mark.parametrize("kind", ["rambler_server", "tiny_server"])
def test_a_text_of_megabytes_is_refused_while_its_model_answers_others(
    kind: str, request: pytest.FixtureRequest
) -> None:
    server: Server = request.getfixturevalue(kind)
    workers = server.worker_pids()
    before = server.count_rows()
    count = 0
    for name, text in texts():
        assert attacked(server, text).code == "context_length_exceeded", name
        count += 1
    assert server.process.poll() is None
    assert server.worker_pids() == workers
    server.count_rows()
    rows = list(server.rows().values())[before:]
    refused = [row for row in rows if row["outcome"] == "invalid"]
    assert len(refused) == count
    told = {(r["phase"], r["reason"], r["error_param"]) for r in refused}
    assert told == {("prepare", "context_length_exceeded", "messages")}


def test_a_text_that_no_tokenizer_can_cut_is_the_client_s_to_change(
    start_server: StartServer, rambler_dir: Path, tmp_path: Path
) -> None:
    patient = tmp_path / "patient"
    shutil.copytree(rambler_dir, patient)
    config = json.loads((patient / "config.json").read_text())
    config["max_position_embeddings"] = 100_000_000
    (patient / "config.json").write_text(json.dumps(config))
    server = start_server(patient).wait_ready()
    assert attacked(server, " " * MANY).code == "text_not_readable"


def test_a_long_text_that_fits_is_read_to_its_last_token(
    rambler_server: Server, rambler_dir: Path
) -> None:
    server = rambler_server
    text = " something" * 7000
    most = len(Tokenizer.from_file(str(rambler_dir / "tokenizer.json")).encode(text))
    usage = ask(server, messages=user(text)).usage
    few = ask(server, messages=user("")).usage
    assert usage.prompt_tokens - few.prompt_tokens == most
