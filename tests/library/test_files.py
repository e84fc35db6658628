"""Which folders are models, by the files in them."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from inference.library.errors import LibraryError
from inference.library.files import (
    INDEX,
    link_out,
    looks_like_model,
    missing_from_model,
    problem_with_files,
    read_bounded,
)
from tests.library.cast import put_adapter, put_in_hub_cache, put_model

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def model(tiny_model_dir: Path, tmp_path: Path) -> Path:
    """A whole model."""
    return put_model(tiny_model_dir, tmp_path / "model")


def put_index(model: Path, *shards: object) -> None:
    weight_map = {f"tensor.{n}": shard for n, shard in enumerate(shards)}
    (model / INDEX).write_text(json.dumps({"weight_map": weight_map}))


def test_a_whole_model_lacks_nothing(model: Path) -> None:
    assert missing_from_model(model) is None
    assert problem_with_files(model) == ""

    put_index(model, "model.safetensors")
    assert missing_from_model(model) is None


@pytest.mark.parametrize(
    ("file", "missing"),
    [
        ("config.json", "config.json is missing"),
        ("model.safetensors", "model*.safetensors is missing"),
        ("tokenizer.json", "its tokenizer (tokenizer.json) is missing"),
    ],
)
def test_it_names_what_is_missing(file: str, missing: str, model: Path) -> None:
    (model / file).unlink()

    assert problem_with_files(model) == missing


def test_it_names_a_shard_that_was_not_fetched(model: Path) -> None:
    put_index(model, "model.safetensors", "model-00002-of-00002.safetensors")

    assert missing_from_model(model) == "model-00002-of-00002.safetensors"


def test_an_index_that_was_left_beside_one_whole_file_says_nothing(
    model: Path,
) -> None:
    put_index(
        model, "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
    )
    assert problem_with_files(model) == ""

    (model / "model-00001-of-00002.safetensors").touch()
    assert missing_from_model(model) == "model-00002-of-00002.safetensors"


def test_shards_without_an_index_are_counted_by_their_names(model: Path) -> None:
    (model / "model.safetensors").rename(model / "model-00001-of-00003.safetensors")

    assert missing_from_model(model) == "model-00002-of-00003.safetensors"


@pytest.mark.parametrize(
    "name", ["../model.safetensors", "/etc/passwd", "a/b", "a\\b", "..", "", "x" * 300]
)
def test_shards_are_files_of_the_folder_itself(name: str, model: Path) -> None:
    put_index(model, "model.safetensors", name)

    assert problem_with_files(model) == (
        f"an {INDEX} that names files of its own folder is missing"
    )


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"weight_map": []}', '{"weight_map": {"a": 1}}']
)
def test_an_index_has_to_be_readable(text: str, model: Path) -> None:
    (model / INDEX).write_text(text)

    assert missing_from_model(model) == f"a readable {INDEX}"


def test_an_index_of_no_shards_is_none(model: Path) -> None:
    put_index(model)

    assert missing_from_model(model) == f"a readable {INDEX}"


@pytest.mark.parametrize(
    "name", ["pytorch_model-00001-of-00002.bin", "weights.pt", "m.pth", "w.npz"]
)
def test_pickles_are_refused_by_name(name: str, model: Path) -> None:
    (model / "model.safetensors").rename(model / name)

    assert looks_like_model(model)
    assert problem_with_files(model) == (
        f"only safetensors are loaded, and it has {name}"
    )


def test_pickles_beside_safetensors_are_left_alone(model: Path) -> None:
    (model / "pytorch_model.bin").touch()

    assert problem_with_files(model) == ""


def test_a_gguf_file_is_no_model_but_can_become_one(tmp_path: Path) -> None:
    (tmp_path / "model.Q4_0.gguf").touch()

    assert "mlx-server import" in problem_with_files(tmp_path)


def test_weights_that_are_links_out_of_the_folder_are_named(
    model: Path, tmp_path: Path
) -> None:
    (model / "model.safetensors").rename(tmp_path / "elsewhere.safetensors")
    (model / "model.safetensors").symlink_to(tmp_path / "elsewhere.safetensors")

    assert link_out(model) == "model.safetensors"


def test_links_of_the_hub_cache_stay_within_it(
    tiny_model_dir: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "hub"
    snapshot = put_in_hub_cache(tiny_model_dir, cache, "org/name")
    # The cache may share blobs between models.
    blob = (snapshot / "config.json").resolve()
    shared = cache / "blobs" / "ab" / "abcd"
    shared.parent.mkdir(parents=True)
    blob.rename(shared)
    blob.symlink_to(shared)

    assert link_out(snapshot) == ""
    assert problem_with_files(snapshot) == ""

    (snapshot / "vocab.json").symlink_to("/etc/hostname")
    assert link_out(snapshot) == "vocab.json"


def test_a_blob_that_is_gone_is_a_file_that_is_missing(
    tiny_model_dir: Path, tmp_path: Path
) -> None:
    snapshot = put_in_hub_cache(tiny_model_dir, tmp_path, "org/name")
    (snapshot / "model.safetensors").resolve().unlink()

    assert problem_with_files(snapshot) == "model*.safetensors is missing"


def test_an_adapter_needs_its_own_files_only(tmp_path: Path) -> None:
    adapter = put_adapter(tmp_path / "adapter")
    assert problem_with_files(adapter) == ""

    (adapter / "adapters.safetensors").rename(adapter / "adapter_model.safetensors")
    assert problem_with_files(adapter) == "adapters.safetensors is missing"


def test_reading_is_bounded_and_never_waits(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(bytes(101))
    with pytest.raises(LibraryError, match=r"config\.json has more than the 100 bytes"):
        read_bounded(path, limit_bytes=100)

    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(LibraryError, match=r"pipe\.json is missing"):
        read_bounded(tmp_path / "pipe.json", limit_bytes=100)
