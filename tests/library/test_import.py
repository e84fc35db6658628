"""`mlx-server import` makes a model of a GGUF file, or says why not and leaves nothing."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from inference.library.convert import ConversionError
from inference.library.gguf_import import GGUFImport
from inference.library.scan import inspect
from tests.engine.gguf_file import GGUFFile
from tests.engine.gguf_models import WHOLE_BLOCKS, random_model
from tests.mlxsite.commands import REPOSITORY, mlx_server, only_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A sound file of a small model."""
    folder = tmp_path / "downloads"
    folder.mkdir()
    return random_model("llama", "Q4_0").file.write(folder / "tiny.Q4_0.gguf")


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """Where the server keeps its own."""
    return tmp_path / "data"


def models_in(data_dir: Path) -> list[str]:
    """Return what is in the folder of models, files apart."""
    models = data_dir / "models"
    if not models.exists():
        return []
    return sorted(path.name for path in models.iterdir() if path.is_dir())


def run_import(data_dir: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run `mlx-server import` to its end."""
    return mlx_server("import", *map(str, words), MLX_DATA_DIR=str(data_dir))


def test_it_makes_a_model_and_says_how_to_serve_it(
    source: Path, data_dir: Path
) -> None:
    result = run_import(data_dir, source)

    made = data_dir / "models" / "Random-llama"
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].startswith("tiny.Q4_0.gguf: llama, 68,032 weights, ")
    assert lines[-2].startswith(f"Made {made} (")
    assert lines[-1] == f"Serve it: mlx-server launch --model-path {made}"
    assert models_in(data_dir) == ["Random-llama"]
    found = inspect(made)
    assert (found.problem, found.architecture) == ("", "llama")
    assert source.exists()


def test_the_type_of_the_weights_can_be_chosen(source: Path, data_dir: Path) -> None:
    for dtype in ("float32", "quantized"):
        result = run_import(data_dir, source, "--name", dtype, "--dtype", dtype)
        assert result.returncode == 0, result.stderr

    packed, plain = (
        json.loads((data_dir / "models" / name / "config.json").read_text())
        for name in ("quantized", "float32")
    )
    assert packed["quantization"]["bits"] == 4
    assert "quantization" not in plain


def test_a_file_in_k_quants_becomes_a_model_of_mixed_bits(
    tmp_path: Path, data_dir: Path
) -> None:
    types = {"blk.0.ffn_down.weight": "Q6_K"}
    original = random_model("llama", "Q4_K", types=types, **WHOLE_BLOCKS)
    source = original.file.write(tmp_path / "model.Q4_K_M.gguf")

    result = run_import(data_dir, source, "--dtype", "quantized", "--name", "mixed")

    assert result.returncode == 0, result.stderr
    made = data_dir / "models" / "mixed"
    assert json.loads((made / "config.json").read_text())["quantization"] == {
        "group_size": 32,
        "bits": 4,
        "model.layers.0.mlp.down_proj": {"group_size": 32, "bits": 8},
    }
    assert inspect(made).problem == ""


def test_it_replaces_a_model_only_when_told_to(source: Path, data_dir: Path) -> None:
    data_dir.mkdir(mode=0o700)
    old = data_dir / "models" / "mine"
    old.mkdir(parents=True)
    (old / "note").write_text("keep me")

    line = only_line(run_import(data_dir, source, "--name", "mine"))
    kept = (old / "note").exists()
    result = run_import(data_dir, source, "--name", "mine", "--force")

    assert line == "error: mine is there already: choose another --name, or --force"
    assert kept
    assert result.returncode == 0, result.stderr
    assert not (old / "note").exists()
    assert inspect(old).problem == ""
    assert models_in(data_dir) == ["mine"]


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("Llama 3.1 8B (Instruct)", "Llama-3.1-8B-Instruct"),
        ("../../etc/passwd", "etc-passwd"),
        (".", "file"),
        ("Ж" * 40, "file"),
        ("x" * 500, "x" * 96),
    ],
)
def test_the_name_in_a_file_becomes_a_plain_folder_name(
    tmp_path: Path, name: str, folder: str
) -> None:
    file = GGUFFile()
    file.metadata["general.name"] = name
    source = file.write(tmp_path / "file.gguf")
    job = GGUFImport(source=source, models_dir=tmp_path / "models", dtype="float32")

    target, _ = job.prepare()

    assert target == tmp_path / "models" / folder


@pytest.mark.parametrize("name", ["../up", "a/b", ".hidden", "a b", "x" * 97, "-x"])
def test_it_refuses_a_name_that_makes_no_folder(
    source: Path, data_dir: Path, name: str
) -> None:
    job = GGUFImport(source=source, models_dir=data_dir, dtype="float32", name=name)

    with pytest.raises(ConversionError, match="is no name for a model: letters, dig"):
        job.prepare()

    assert not data_dir.exists()


def test_a_refused_file_is_one_line_and_leaves_nothing(
    tmp_path: Path, data_dir: Path
) -> None:
    source = GGUFFile(type_number=40).write(tmp_path / "model.NVFP4.gguf")

    line = only_line(run_import(data_dir, source))

    assert line.startswith(
        "error: model.NVFP4.gguf: tensor token_embd.weight is NVFP4; "
        "imported are F32, F16, BF16, Q4_0, "
    )
    assert models_in(data_dir) == []


def test_weights_that_turn_out_to_be_damaged_leave_nothing(
    source: Path, data_dir: Path
) -> None:
    """Found only while converting: a block's scale is not a number."""
    raw = bytearray(source.read_bytes())
    raw[-9000:] = b"\xff" * 9000
    source.write_bytes(raw)

    line = only_line(run_import(data_dir, source))

    assert line == "error: tiny.Q4_0.gguf: a block's scale is no finite number"
    assert models_in(data_dir) == []


def test_it_says_when_there_is_no_such_file(tmp_path: Path, data_dir: Path) -> None:
    line = only_line(run_import(data_dir, tmp_path / "none.gguf"))

    assert line == f"error: there is no file {tmp_path / 'none.gguf'}"


def test_it_refuses_before_it_fills_the_disk(
    source: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = SimpleNamespace(total=10**9, used=10**9 - 5_000_000, free=5_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: free)
    job = GGUFImport(source=source, models_dir=data_dir, dtype="float32")

    with pytest.raises(ConversionError) as refusal:
        job.prepare()

    assert str(refusal.value) == (
        f"tiny.Q4_0.gguf would take 100 MB in {data_dir}; 5.00 MB are free"
    )


def test_what_a_killed_import_left_is_removed(source: Path, data_dir: Path) -> None:
    left = data_dir / "models" / ".making-killed"
    left.mkdir(parents=True)
    (left / "model.safetensors").touch()

    result = run_import(data_dir, source, "--name", "new")

    assert result.returncode == 0, result.stderr
    assert models_in(data_dir) == ["new"]


@contextmanager
def waiting_import(
    source: Path, data_dir: Path
) -> Iterator[tuple[subprocess.Popen[str], Callable[[], None]]]:
    """An import that waits for another; the function lets it go on."""
    # As the server makes it; of a folder open to others there is a word.
    data_dir.mkdir(mode=0o700)
    models = data_dir / "models"
    models.mkdir()
    with (models / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with subprocess.Popen(
            [sys.executable, "-m", "mlxsite", "import", str(source)],
            cwd=REPOSITORY,
            env=os.environ | {"MLX_DATA_DIR": str(data_dir)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            said = process.stdout.readline()
            assert said == "Another model is just being made; waiting for it\n"
            try:
                yield process, lambda: fcntl.flock(lock, fcntl.LOCK_UN)
            finally:
                process.kill()


def test_it_waits_for_another_that_is_making_a_model(
    source: Path, data_dir: Path
) -> None:
    with waiting_import(source, data_dir) as (process, let_go):
        waiting = models_in(data_dir)
        let_go()
        said, _ = process.communicate(timeout=60)

    assert waiting == []
    assert "Serve it: mlx-server launch" in said
    assert models_in(data_dir) == ["Random-llama"]


def test_an_interrupted_import_leaves_nothing(source: Path, data_dir: Path) -> None:
    with waiting_import(source, data_dir) as (process, _):
        process.send_signal(signal.SIGINT)
        _, complained = process.communicate(timeout=60)

    assert process.returncode == 130
    assert complained == "Stopped. Nothing is left of it.\n"
    assert models_in(data_dir) == []


def test_a_name_taken_while_it_waited_is_kept(source: Path, data_dir: Path) -> None:
    with waiting_import(source, data_dir) as (process, let_go):
        (data_dir / "models" / "Random-llama").mkdir()
        let_go()
        _, complained = process.communicate(timeout=60)

    assert process.returncode == 2
    assert complained.startswith("error: Random-llama is there already: choose")
    assert not any((data_dir / "models" / "Random-llama").iterdir())
