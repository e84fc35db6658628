"""A fresh Linux CPU is fast without root, and everything names the same BLAS."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from inference.library.openblas import needs_openblas
from tests.e2e.servers import wait_until
from tests.mlxsite.commands import mlx_server

if TYPE_CHECKING:
    from tests.e2e.conftest import StartServer
    from tests.e2e.servers import Server

FRANCE = [{"role": "user", "content": "What is the capital of France?"}]

pytestmark = pytest.mark.skipif(
    not needs_openblas(), reason="MLX brings a fast BLAS here"
)


def ask(server: Server, model: Path) -> str:
    answer = server.client().chat.completions.create(
        model=model.name, messages=FRANCE, temperature=0, max_tokens=16
    )
    return answer.choices[0].message.content or ""


def load_of(server: Server) -> dict[str, Any]:
    """Return what the record tells of the model's load, once it is written."""
    loads = [one["data"] for one in server.events() if one["kind"] == "model_load"]
    return dict(json.loads(loads[0])) if loads else {}


def named_by_doctor(server: Server, choice: str) -> dict[str, str]:
    """Return what `doctor` finds of the BLAS, with the server's settings."""
    result = mlx_server(
        *("doctor", "--json"),
        MLX_DATA_DIR=str(server.data_dir),
        MLX_OPENBLAS=choice,
        DATABASE_URL=server.record.url,
        PORT=str(server.port),
    )
    found = json.loads(result.stdout)["findings"]
    (blas,) = [one for one in found if one["name"] == "BLAS"]
    return dict(blas)


def named_by_bench(server: Server, model: Path) -> str:
    """Return what the figures of a benchmark were computed on."""
    result = mlx_server(
        *("bench", model.name, "--base-url", server.base_url, "--json", "--no-keep"),
        *("--requests", "1", "--concurrency", "1", "--max-tokens", "2"),
        MLX_DATA_DIR=str(server.data_dir),
    )
    return str(json.loads(result.stdout)["hardware"]["computes_on"])


@pytest.mark.parametrize(
    ("choice", "blas", "words"),
    [
        ("bundled", "openblas", "OpenBLAS"),
        ("off", "reference", "MLX's own, which is up to 30 times slower than OpenBLAS"),
    ],
)
def test_log_list_doctor_and_bench_name_the_blas_that_serves(
    start_server: StartServer,
    tiny_model_dir: Path,
    choice: str,
    blas: str,
    words: str,
) -> None:
    server = start_server(tiny_model_dir, MLX_OPENBLAS=choice).wait_ready()
    assert f", on cpu ({blas})\n" in server.output()
    is_slow = "MLX computes with its own BLAS" in server.output()
    assert is_slow == (blas == "reference")
    (card,) = server.get("/v1/models")["data"]
    assert card["computes_on"] == f"cpu ({blas})"
    assert wait_until(lambda: load_of(server), "the event of the load")["blas"] == blas
    assert named_by_doctor(server, choice)["words"] == words
    assert named_by_bench(server, tiny_model_dir) == f"cpu ({blas})"
    # And it is what the worker has in memory.
    copies = list((server.data_dir / "openblas").glob("*.so"))
    maps = [Path(f"/proc/{pid}/maps").read_text() for pid in server.worker_pids()]
    assert [str(copy) in text for copy in copies for text in maps] == (
        [True] if blas == "openblas" else [False] * len(copies)
    )


def test_doctor_names_what_the_first_start_will_have_and_leaves_no_trace(
    tmp_path: Path,
) -> None:
    result = mlx_server(
        "doctor", "--json", MLX_DATA_DIR=str(tmp_path), MLX_OPENBLAS="bundled"
    )
    found = {one["name"]: one for one in json.loads(result.stdout)["findings"]}
    assert found["BLAS"]["words"] == "OpenBLAS"
    assert not (tmp_path / "openblas").exists()


def test_where_no_copy_can_be_made_it_warns_and_serves_all_the_same(
    tiny_model_dir: Path, tmp_path: Path, start_server: StartServer
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "openblas").touch()  # where the folder should be
    server = start_server(tiny_model_dir, MLX_OPENBLAS="bundled").wait_ready()
    assert "warning: the copy of OpenBLAS cannot be kept" in server.output()
    assert ", on cpu (reference)\n" in server.output()
    assert ask(server, tiny_model_dir)


@pytest.mark.slow
def test_it_knows_the_capital_of_france_without_the_systems_openblas(
    start_server: StartServer, smollm2_dir: Path
) -> None:
    server = start_server(smollm2_dir, MLX_OPENBLAS="bundled").wait_ready()
    assert ", on cpu (openblas)\n" in server.output()
    assert "Paris" in ask(server, smollm2_dir)
    assert server.stop() == 0
