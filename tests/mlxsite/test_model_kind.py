"""What kind of model a folder holds, and as which kind it is served."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from inference.core.models import ModelSource
from mlxsite.startup.errors import StartupError
from mlxsite.startup.model_kind import with_kind

if TYPE_CHECKING:
    from pathlib import Path


def kind(path: Path, asked: str = "") -> str:
    return with_kind(ModelSource(key="a", path=str(path)), asked).kind


def folder_with(path: Path, config: object) -> Path:
    (path / "config.json").write_text(json.dumps(config))
    return path


def test_it_finds_the_kind_in_the_models_config(
    tmp_path: Path, tiny_model_dir: Path
) -> None:
    assert kind(folder_with(tmp_path, {"model_type": "llama"})) == "lm"
    assert kind(tiny_model_dir) == "vlm"


def test_it_serves_the_text_part_alone_where_told_to(tiny_model_dir: Path) -> None:
    assert kind(tiny_model_dir, "lm") == "lm"
    assert kind(tiny_model_dir, "vlm") == "vlm"


def test_it_refuses_images_of_a_text_model_in_words(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="it has no vision part"):
        kind(folder_with(tmp_path, {"model_type": "llama"}), "vlm")


def test_an_encoder_is_one_unless_it_is_served_as_a_text_model(tmp_path: Path) -> None:
    (tmp_path / "1_Pooling").mkdir()
    folder = folder_with(tmp_path, {"model_type": "qwen3"})
    assert (kind(folder), kind(folder, "lm")) == ("encoder", "lm")


def test_it_refuses_embeddings_of_a_text_model_in_words(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="embeddings = true"):
        kind(folder_with(tmp_path, {"model_type": "llama"}), "encoder")


def test_it_names_a_config_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(StartupError, match=r"config\.json cannot be read"):
        kind(tmp_path)
