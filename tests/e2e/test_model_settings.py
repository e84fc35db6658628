"""What the models file says about a model holds, from the load to the answer."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import openai
import pytest

from tests.e2e.servers import PATIENCE_S, REPOSITORY, Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.conftest import StartServer

TWENTY = [{"role": "user", "content": "Count to twenty."}]
COLOUR = [{"role": "user", "content": "What colour is this?"}]

SETTINGS = """
[models."short"]
source = "{tiny}"
context_limit = 64
max_concurrency = 3

[models."polite"]
source = "{tiny}"
system_prompt = "You are very polite and you never hurry anybody, whatever they say."

[models."brief"]
source = "{tiny}"
aliases = ["gpt-4o"]
[models."brief".sampling]
max_tokens = 3

[models."packed"]
source = "{tiny}"
kv_bits = 8

[models."tuned"]
source = "{tiny}"
adapter_path = "{adapter}"

[models."guessed"]
source = "{tiny}"
draft_path = "{tiny}"

[models."wrong-draft"]
source = "{tiny}"
draft_path = "{coder}"

[models."trusted"]
source = "{coder}"
kind = "lm"
trust_code = true
"""

CODE = """
import pathlib
pathlib.Path(__file__).with_name("ran").touch()
from mlx_lm.models.qwen2_vl import Model, ModelArgs
"""


@pytest.fixture(scope="module")
def shelf(tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, an adapter of it, and a model with code of its own."""
    shelf = tmp_path_factory.mktemp("shelf")
    shutil.copytree(tiny_model_dir, shelf / "tiny")
    maker = REPOSITORY / "tests" / "models" / "make_adapter.py"
    subprocess.run(
        [sys.executable, str(maker), str(shelf / "tiny"), str(shelf / "poet")],
        check=True,
    )
    coder = shutil.copytree(tiny_model_dir, shelf / "coder")
    config = json.loads((coder / "config.json").read_text())
    (coder / "config.json").write_text(json.dumps(config | {"model_file": "arch.py"}))
    (coder / "arch.py").write_text(CODE)
    return shelf


@pytest.fixture(scope="module")
def server(shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that knows these models under several keys."""
    file = tmp_path_factory.mktemp("settings") / "models.toml"
    file.write_text(
        SETTINGS.format(
            tiny=shelf / "tiny", adapter=shelf / "poet", coder=shelf / "coder"
        )
    )
    running = Server(
        tmp_path_factory.mktemp("data"),
        shelf / "tiny",
        MODEL_DIRS=str(shelf),
        MODELS_FILE=str(file),
    )
    yield running.wait_ready()
    running.kill()


def ask(server: Server, model: str, messages: Any = TWENTY, **options: Any) -> Any:
    return server.client().chat.completions.create(
        model=model, messages=messages, temperature=0, **options
    )


def card_of(server: Server, key: str) -> dict[str, Any]:
    return server.get(f"/v1/models/{key}")


def test_a_context_limit_holds_for_prompt_and_answer(server: Server) -> None:
    answer = ask(server, "short")
    assert answer.usage.total_tokens <= 64
    assert card_of(server, "short")["context_length"] == 64
    with pytest.raises(openai.BadRequestError) as refused:
        ask(server, "short", [{"role": "user", "content": "word " * 80}])
    assert refused.value.code == "context_length_exceeded"
    assert ask(server, "tiny", [{"role": "user", "content": "word " * 80}]).choices


def test_an_alias_is_answered_by_the_same_worker(server: Server) -> None:
    assert card_of(server, "brief")["aliases"] == ["gpt-4o"]
    first = ask(server, "gpt-4o")
    workers = server.worker_pids()
    again = ask(server, "brief")
    assert (first.model, again.model) == ("brief", "brief")
    assert first.usage.completion_tokens == again.usage.completion_tokens == 3
    assert server.worker_pids() == workers
    with pytest.raises(openai.NotFoundError, match="Did you mean `gpt-4o`"):
        ask(server, "GPT-4o")


def test_seats_are_the_models_own(server: Server) -> None:
    ask(server, "short")
    assert card_of(server, "short")["max_concurrency"] == 3
    assert card_of(server, "tiny")["max_concurrency"] == 32


def test_a_system_prompt_is_said_before_a_conversation_without_one(
    server: Server,
) -> None:
    plain = ask(server, "tiny").usage.prompt_tokens
    polite = ask(server, "polite").usage.prompt_tokens
    own = [{"role": "system", "content": "Be."}, *TWENTY]
    assert polite > plain + 10
    assert (
        ask(server, "polite", own).usage.prompt_tokens
        == ask(server, "tiny", own).usage.prompt_tokens
    )


def test_sampling_defaults_fill_what_a_request_leaves_out(server: Server) -> None:
    assert ask(server, "brief").usage.completion_tokens == 3
    assert ask(server, "brief", max_tokens=5).usage.completion_tokens == 5


def test_packed_keys_and_values_answer_as_well(server: Server) -> None:
    packed, plain = ask(server, "packed"), ask(server, "tiny")
    assert packed.choices[0].message.content == plain.choices[0].message.content
    card = card_of(server, "packed")
    assert card["notes"] == [] or "kv_bits" in card["notes"][0]


def test_an_adapter_is_a_model_of_its_own(server: Server) -> None:
    plain = ask(server, "tiny", COLOUR, max_tokens=20).choices[0].message.content
    tuned = ask(server, "tuned", COLOUR, max_tokens=20).choices[0].message.content
    by_name = ask(server, "poet", COLOUR, max_tokens=20).choices[0].message.content
    assert tuned != plain
    assert by_name == tuned


def test_a_draft_model_changes_nothing_of_what_is_said(server: Server) -> None:
    plain, guessed = ask(server, "tiny"), ask(server, "guessed")
    assert guessed.choices[0].message.content == plain.choices[0].message.content
    assert guessed.usage == plain.usage
    assert card_of(server, "guessed")["notes"] == []
    size = card_of(server, "tiny")["size_bytes"]
    # A draft reads text only.
    assert size < card_of(server, "guessed")["size_bytes"] < 2 * size


def test_a_draft_with_code_of_its_own_is_refused(server: Server) -> None:
    with pytest.raises(openai.BadRequestError, match="code of its own"):
        ask(server, "wrong-draft")


def test_code_of_a_models_own_runs_only_where_it_is_trusted(
    server: Server, shelf: Path
) -> None:
    with pytest.raises(openai.BadRequestError, match="model_file") as refused:
        ask(server, "coder")
    assert refused.value.code == "foreign_code"
    assert not (shelf / "coder" / "ran").exists()
    plain, trusted = ask(server, "tiny"), ask(server, "trusted")
    assert (shelf / "coder" / "ran").exists()
    assert trusted.choices[0].message.content == plain.choices[0].message.content


def test_a_prompt_that_does_not_fit_into_memory_is_refused_before_its_prefill(
    start_server: StartServer, rambler_dir: Path
) -> None:
    size = sum(f.stat().st_size for f in rambler_dir.glob("*.safetensors"))
    server = start_server(rambler_dir, MEMORY_BUDGET=str(size + 8_000_000)).wait_ready()
    long = [{"role": "user", "content": "word " * 60_000}]
    with pytest.raises(openai.InternalServerError, match="A prompt of") as refused:
        ask(server, rambler_dir.name, long, max_tokens=2)
    assert refused.value.code == "insufficient_memory"
    row = server.wait_rows(1)[refused.value.response.headers["x-request-id"]]
    assert (row["outcome"], row["reason"]) == ("rejected", "insufficient_memory")
    assert row["prefill_s"] is None
    assert row["prompt_tokens"] > 60_000
    # No latch: what fits is answered.
    short = ask(server, rambler_dir.name, max_tokens=2)
    assert short.usage.completion_tokens == 2


def test_a_wrong_models_file_stops_the_start_with_one_line(
    start_server: StartServer, tiny_model_dir: Path, tmp_path: Path
) -> None:
    file = tmp_path / "models.toml"
    file.write_text('[models."a"]\nkv_bitz = 4\n')
    server = start_server(tiny_model_dir, MODELS_FILE=str(file))
    assert server.process.wait(PATIENCE_S) == 2
    server.stop()
    line = server.output().splitlines()[-1]
    assert line.startswith("error: ")
    assert "kv_bitz" in line
