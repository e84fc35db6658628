"""What a library makes of files that do not fit is told of the right file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from inference.engine.loading.load_errors import told
from inference.engine.loading.text_model import load_text_model
from tests.library.cast import put_model

if TYPE_CHECKING:
    from pathlib import Path


def refusal(folder: Path) -> str:
    with pytest.raises(Exception) as refused:  # noqa: PT011 -- whatever the library raises
        load_text_model(folder)
    assert isinstance(refused.value, Exception)
    return told(refused.value)


@pytest.mark.parametrize(
    "changes",
    [{"num_hidden_layers": 4}, {"num_hidden_layers": 1}, {"vocab_size": 300}],
)
def test_weights_of_another_model_are_told_as_that(
    tiny_model_dir: Path, tmp_path: Path, changes: dict[str, Any]
) -> None:
    folder = put_model(tiny_model_dir, tmp_path / "m", **changes)
    assert refusal(folder).startswith(
        "the weights are not of the model that config.json describes: "
    )


def test_a_key_that_a_config_lacks_is_named(smollm2_dir: Path, tmp_path: Path) -> None:
    config = json.loads((smollm2_dir / "config.json").read_text())
    del config["hidden_size"], config["vocab_size"]
    for file in smollm2_dir.iterdir():
        (tmp_path / file.name).symlink_to(file)
    (tmp_path / "config.json").unlink()
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert refusal(tmp_path) == (
        "config.json lacks 'hidden_size' and 'vocab_size' (ModelArgs)"
    )


def test_other_errors_are_told_as_they_are() -> None:
    assert told(KeyError("rope")) == "KeyError: 'rope'"
