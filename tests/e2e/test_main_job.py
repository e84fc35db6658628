"""The product's promise with a model that makes sense, on both databases."""

from __future__ import annotations

import uuid
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.e2e.servers import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.conftest import StartServer

FRANCE = [{"role": "user", "content": "What is the capital of France?"}]
HELLO = [{"role": "user", "content": "Hello"}]


@pytest.mark.slow
def test_it_knows_the_capital_of_france_streamed_and_not(
    start_server: StartServer, smollm2_dir: Path
) -> None:
    server = start_server(smollm2_dir).wait_ready()
    create = server.client().chat.completions.create
    model = smollm2_dir.name
    answer = create(model=model, messages=FRANCE, temperature=0)
    assert "Paris" in (answer.choices[0].message.content or "")
    chunks = create(model=model, messages=FRANCE, temperature=0, stream=True)
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == answer.choices[0].message.content
    rows = server.wait_rows(2).values()
    assert [(r["outcome"], r["kind"]) for r in rows] == [
        ("finished", "text"),
        ("finished", "text_stream"),
    ]
    assert server.stop() == 0


@pytest.fixture
def postgres_database(postgres_url: str) -> Iterator[str]:
    """The URL of a database of this test's own."""
    name = f"mlxsite_{uuid.uuid4().hex}"
    with closing(psycopg.connect(postgres_url, autocommit=True)) as server:
        server.execute(f"CREATE DATABASE {name}")
        yield postgres_url.rsplit("/", 1)[0] + f"/{name}"
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_it_keeps_its_rows_in_postgresql_when_told_to(
    start_server: StartServer, tiny_model_dir: Path, postgres_database: str
) -> None:
    server = start_server(tiny_model_dir, DATABASE_URL=postgres_database).wait_ready()
    server.client().chat.completions.create(model=tiny_model_dir.name, messages=HELLO)
    query = "SELECT outcome, completion_tokens FROM metrics_requestlog"
    with closing(psycopg.connect(postgres_database, autocommit=True)) as database:

        def ended() -> list[tuple[str, int]]:
            rows = database.execute(query).fetchall()
            return [row for row in rows if row[0] != "running"]

        assert wait_until(ended, "the row") == [("finished", 8)]
    assert server.stop() == 0
