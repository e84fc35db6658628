"""What kind of model a folder holds, and which kinds are served."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from mlxsite.startup.errors import StartupError
from mlxsite.startup.model_kind import found_kind, served_kind

if TYPE_CHECKING:
    from pathlib import Path


def folder_with(path: Path, config: object) -> Path:
    (path / "config.json").write_text(json.dumps(config))
    return path


def test_it_finds_the_kind_in_the_models_config(
    tmp_path: Path, tiny_model_dir: Path
) -> None:
    assert found_kind(folder_with(tmp_path, {"model_type": "llama"})) == "lm"
    assert found_kind(tiny_model_dir) == "vlm"


def test_it_serves_the_text_part_of_a_vision_model(tiny_model_dir: Path) -> None:
    assert served_kind("", tiny_model_dir) == "lm"
    assert served_kind("lm", tiny_model_dir) == "lm"


def test_it_refuses_vision_in_words(tmp_path: Path, tiny_model_dir: Path) -> None:
    with pytest.raises(StartupError, match="not served yet"):
        served_kind("vlm", tiny_model_dir)
    with pytest.raises(StartupError, match="no vision part"):
        served_kind("vlm", folder_with(tmp_path, {"model_type": "llama"}))


def test_it_names_a_config_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(StartupError, match=r"config\.json cannot be read"):
        found_kind(tmp_path)
