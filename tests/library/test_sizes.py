"""Numbers of a config are held against the weights; what can be, is never refused."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from mlx import nn
from mlx.utils import tree_flatten

from inference.core.models import ModelSource
from inference.library.errors import LibraryError
from inference.library.local import inspect
from inference.library.sizes import check_sizes
from inference.runtime.folders import look_at
from tests.engine import random_models, random_vision_models
from tests.engine.random_models import random_model
from tests.engine.random_vision_models import random_vision_model
from tests.library.cast import put_model

if TYPE_CHECKING:
    from pathlib import Path

HUGE = 1_000_000_000
# A decoder of two layers: enough to hold a config against.
SHAPES = {
    "model.embed_tokens.weight": [100, 8],
    "model.layers.0.mlp.up_proj.weight": [16, 8],
    "model.layers.1.mlp.up_proj.weight": [16, 8],
}


def is_packable(_: str, module: Any) -> bool:
    return hasattr(module, "to_quantized") and module.weight.shape[-1] % 32 == 0


def shapes_of(model: Any) -> dict[str, list[int]]:
    return {name: list(a.shape) for name, a in tree_flatten(model.parameters())}


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (
            {"num_hidden_layers": HUGE},
            "num_hidden_layers of config.json cannot be 1,000,000,000: "
            "no model has more than 1,000",
        ),
        (
            {"num_hidden_layers": 900},
            "num_hidden_layers of config.json cannot be 900: "
            "the weights hold no more than 2 of anything",
        ),
        ({"num_hidden_layers": -1}, "num_hidden_layers of config.json cannot be -1"),
        ({"num_hidden_layers": 10**4000}, "num_hidden_layers of config.json cannot be"),
        ({"n_layer": 900}, "n_layer of config.json"),
        (
            {"text_config": {"num_hidden_layers": 900}},
            "text_config.num_hidden_layers of",
        ),
        ({"vision_config": {"depth": HUGE}}, "vision_config.depth of config.json"),
        (
            {"thinker_config": {"audio_config": {"encoder_layers": HUGE}}},
            "thinker_config.audio_config.encoder_layers of config.json",
        ),
        (
            {"vocab_size": 1000},
            "vocab_size of config.json cannot be 1,000: "
            "no embedding of the weights has a side over 100",
        ),
        (
            {"hidden_size": 4000},
            "hidden_size of config.json cannot be 4,000: "
            "no tensor of the weights has a side over 100",
        ),
        ({"hidden_size": -8}, "hidden_size of config.json cannot be -8"),
        ({"intermediate_size": [16, HUGE]}, "intermediate_size of config.json"),
        ({"num_experts": HUGE}, "num_experts of config.json"),
        ({"max_position_embeddings": 2**70}, "max_position_embeddings of config.json"),
    ],
)
def test_what_cannot_be_is_refused_by_its_key(
    config: dict[str, Any], told: str
) -> None:
    with pytest.raises(LibraryError) as refused:
        check_sizes(config, SHAPES)
    assert str(refused.value).startswith(told)


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"num_hidden_layers": 2, "vocab_size": 100, "hidden_size": 8},
        {"num_hidden_layers": 1},  # the other predicts further tokens
        {"num_hidden_layers": None, "vocab_size": "100", "depth": True},
        {"vocab_size": 128, "num_attention_heads": 0},
        # A text model made of one that sees, without its tower.
        {"vision_config": {"depth": 27, "hidden_size": 1152, "vocab_size": 32_000}},
        {"vision_feature_layer": -2, "sliding_window": -1},
        {"max_position_embeddings": 10_485_760},
    ],
)
def test_what_can_be_is_not_refused(config: dict[str, Any]) -> None:
    check_sizes(config, SHAPES)


def test_weights_without_numbers_say_nothing_of_layers() -> None:
    check_sizes({"num_hidden_layers": 48}, {"stack.up.weight": [48, 16, 8]})


@pytest.mark.parametrize("architecture", random_models.ARCHITECTURES)
@pytest.mark.parametrize("bits", [0, 2])
def test_no_architecture_is_refused_packed_or_not(architecture: str, bits: int) -> None:
    model = random_model(architecture)
    if bits:
        nn.quantize(model, group_size=32, bits=bits, class_predicate=is_packable)
    check_sizes(random_models.config_of(architecture), shapes_of(model))


@pytest.mark.parametrize(
    "architecture", [*random_vision_models.APART, *random_vision_models.TOGETHER]
)
def test_no_architecture_that_sees_is_refused(architecture: str) -> None:
    config = random_vision_models.config_of(architecture)
    check_sizes(config, shapes_of(random_vision_model(architecture)))


def test_the_default_model_is_not_refused(smollm2_dir: Path) -> None:
    assert inspect(smollm2_dir).problem == ""


def test_a_large_table_of_layers_is_looked_through_in_no_time() -> None:
    layers = {f"model.layers.{n}.mlp": {"bits": 4} for n in range(100_000)}
    began = time.thread_time()
    check_sizes({"quantization": layers, "num_hidden_layers": 2}, SHAPES)
    assert time.thread_time() - began < 10


def test_the_list_and_the_load_both_tell_it(
    tiny_model_dir: Path, tmp_path: Path
) -> None:
    folder = put_model(tiny_model_dir, tmp_path / "m")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(
        json.dumps(config | {"num_hidden_layers": HUGE})
    )
    problem = inspect(folder).problem
    assert problem.startswith("num_hidden_layers of config.json cannot be")
    with pytest.raises(LibraryError) as refused:
        asyncio.run(look_at(ModelSource("m", str(folder))))
    assert str(refused.value) == problem
