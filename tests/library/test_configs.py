"""What a model is, by its own config, and what a config may not make us believe."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from inference.library.architectures import is_supported, renamings
from inference.library.configs import read_object
from inference.library.errors import LibraryError
from inference.library.machine import computes_on_cpu
from inference.library.scan import LocalModel, inspect
from tests.library.cast import put_adapter, put_model
from tests.models.random_encoders import write_random_encoder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Inspect = Callable[..., LocalModel]


@pytest.fixture
def inspected(tiny_model_dir: Path, tmp_path: Path) -> Inspect:
    """Inspects a model whose config says what the arguments say."""

    def look(**config: Any) -> LocalModel:
        return inspect(put_model(tiny_model_dir, tmp_path / "model", **config))

    return look


def test_it_tells_what_a_model_is(tiny_model_dir: Path) -> None:
    weights = tiny_model_dir / "model.safetensors"

    model = inspect(tiny_model_dir, name="org/tiny", place="shelf")

    assert model == LocalModel(
        name="org/tiny",
        path=str(tiny_model_dir.resolve()),
        place="shelf",
        kind="vlm",
        architecture="qwen2_vl",
        capabilities=("text", "vision"),
        context_length=2048,
        size_bytes=weights.stat().st_size,
        memory_bytes=model.memory_bytes,
    )
    assert 0.9 * model.size_bytes < model.memory_bytes < model.size_bytes


@pytest.mark.skipif(not computes_on_cpu(), reason="a GPU keeps the types of the files")
@pytest.mark.parametrize(
    "way", [{"quantize": True, "q_group_size": 32, "q_bits": 4}, {"quantize": False}]
)
def test_the_estimate_is_what_a_worker_will_hold(
    way: dict[str, Any], tiny_model_dir: Path, tmp_path: Path
) -> None:
    from mlx_lm.convert import convert

    from inference.engine.loading.text_model import load_text_model

    folder = tmp_path / "model"
    convert(str(tiny_model_dir), str(folder), dtype="bfloat16", **way)

    model = inspect(folder)

    assert model.quantization == ("4-bit" if way["quantize"] else "")
    assert model.memory_bytes == load_text_model(folder).weight_bytes
    assert model.memory_bytes > model.size_bytes


def test_a_model_is_called_like_its_folder(tiny_model_dir: Path) -> None:
    assert inspect(tiny_model_dir).name == "tiny-qwen2-vl"


@pytest.mark.parametrize(
    ("config", "length"),
    [
        ({"max_position_embeddings": 8192}, 8192),
        ({"max_position_embeddings": None}, None),
        (
            {
                "max_position_embeddings": None,
                "text_config": {"max_position_embeddings": 77},
            },
            77,
        ),
        ({"max_position_embeddings": -5}, None),
        ({"max_position_embeddings": True}, None),
        ({"max_position_embeddings": 10**30}, None),
        ({"max_position_embeddings": "many", "text_config": ["x"]}, None),
    ],
)
def test_it_reads_the_context_length(
    config: dict[str, Any], length: int | None, inspected: Inspect
) -> None:
    assert inspected(**config).context_length == length


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"quantization": {"group_size": 64, "bits": 4}}, "4-bit"),
        (
            {
                "quantization": {
                    "group_size": 64,
                    "bits": 4,
                    "mode": "affine",
                    "lm_head": {"group_size": 64, "bits": 8},
                    "model.norm": False,
                }
            },
            "4-bit mixed",
        ),
        ({"quantization": {"group_size": 32, "bits": 4, "mode": "mxfp4"}}, "mxfp4"),
        ({"quantization_config": {"quant_method": "gptq", "bits": 4}}, "4-bit gptq"),
        ({"text_config": {"quantization_config": {"quant_method": "fp8"}}}, "fp8"),
        ({"quantization": {"bits": "four"}}, "quantized"),
        ({"quantization": [4]}, ""),
    ],
)
def test_it_says_how_weights_are_packed(
    config: dict[str, Any], words: str, inspected: Inspect
) -> None:
    assert inspected(**config).quantization == words


def test_a_model_without_a_vision_part_reads_text(
    tiny_model_dir: Path, tmp_path: Path
) -> None:
    model = put_model(tiny_model_dir, tmp_path / "model", model_type="llama")
    config = json.loads((model / "config.json").read_text())
    del config["vision_config"]
    (model / "config.json").write_text(json.dumps(config))

    assert inspect(model).kind == "lm"
    assert inspect(model).capabilities == ("text",)


@pytest.mark.parametrize("key", ["auto_map", "model_file"])
def test_it_names_code_of_the_models_own(key: str, inspected: Inspect) -> None:
    model = inspected(**{key: {"AutoModel": "modeling.Evil"}})

    assert model.foreign_code == key
    assert model.problem == ""  # it is for whoever loads it to trust it or not


def test_it_names_code_of_the_tokenizers_own(
    tiny_model_dir: Path, tmp_path: Path
) -> None:
    model = put_model(tiny_model_dir, tmp_path / "model")
    path = model / "tokenizer_config.json"
    path.write_text(json.dumps({"auto_map": {"AutoTokenizer": ["evil.Evil", None]}}))

    found = inspect(model)
    assert found.foreign_code == "auto_map"
    assert found.foreign_code_file == "tokenizer_config.json"


def test_a_model_type_of_the_models_own_code_needs_no_code_of_mlx_lm(
    inspected: Inspect,
) -> None:
    assert inspected(model_type="home-made", model_file="modeling.py").problem == ""


@pytest.mark.parametrize("model_type", ["whisper", "../models/llama", "", "x" * 500])
def test_a_model_type_nobody_has_code_for_is_a_problem(
    model_type: str, inspected: Inspect
) -> None:
    model = inspected(model_type=model_type)

    assert "mlx-lm has no code" in model.problem or "no model_type" in model.problem


@pytest.mark.parametrize("model_type", [None, 7, ["llama"], {"a": 1}])
def test_a_model_type_that_is_no_word_is_a_problem(
    model_type: object, inspected: Inspect
) -> None:
    assert inspected(model_type=model_type).problem == (
        "its config.json names no model_type"
    )


def test_it_knows_the_model_types_that_mlx_lm_knows() -> None:
    from mlx_lm.utils import MODEL_REMAPPING

    assert renamings() == MODEL_REMAPPING
    assert is_supported("llama")
    assert is_supported("mistral")  # served by the code of another type
    assert not is_supported("bert")


@pytest.mark.parametrize("name", ["BertModel", "XLMRobertaModel", "Qwen3Model"])
def test_a_model_without_a_head_for_words_embeds(name: str, inspected: Inspect) -> None:
    assert inspected(architectures=[name]).capabilities == ("embeddings",)


@pytest.mark.parametrize(
    "named", [["GPT2LMHeadModel"], ["LlamaForCausalLM"], [], "BertModel", [7]]
)
def test_other_models_give_text(named: object, inspected: Inspect) -> None:
    assert inspected(architectures=named).capabilities == ("text", "vision")


def test_sentence_transformers_embed(tiny_model_dir: Path, tmp_path: Path) -> None:
    model = put_model(tiny_model_dir, tmp_path / "model")
    (model / "modules.json").write_text("[]")

    assert inspect(model).capabilities == ("embeddings",)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "7", "\udcff", "[" * 200_000, '{"a": 1' + "0" * 5000 + "}"]
)
def test_a_config_that_is_none_is_a_problem(
    text: str, tiny_model_dir: Path, tmp_path: Path
) -> None:
    model = put_model(tiny_model_dir, tmp_path / "model")
    (model / "config.json").write_bytes(text.encode(errors="surrogateescape"))

    found = inspect(model)

    assert found.problem.startswith("config.json ")
    assert "\n" not in found.problem
    assert found.capabilities == ()
    assert found.size_bytes > 2_000_000


def test_an_endless_config_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    with path.open("wb") as file:
        file.truncate(2**40)

    with pytest.raises(LibraryError, match="more than the 10,000,000 bytes"):
        read_object(path)


def test_infinity_is_a_number_as_it_is_for_mlx_lm(inspected: Inspect) -> None:
    assert inspected(time_step_limit=[0.0, float("inf")]).problem == ""


def test_an_adapter_names_its_base(tmp_path: Path) -> None:
    model = inspect(put_adapter(tmp_path / "mine", model="mlx-community/base-4bit"))

    assert (model.kind, model.base) == ("adapter", "mlx-community/base-4bit")
    assert (model.problem, model.memory_bytes) == ("", 128)


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"model": None}, "does not name its base"),
        ({"fine_tune_type": "magic"}, "names a fine_tune_type"),
        ({"num_layers": "all"}, "has no usable num_layers"),
        ({"lora_parameters": 8}, "has no usable lora_parameters.rank"),
        ({"lora_parameters": {"rank": 8, "alpha": 1}}, "lora_parameters.scale"),
        ({"lora_parameters": {"rank": 0, "scale": 1}}, "lora_parameters.rank"),
    ],
)
def test_an_adapter_that_cannot_be_loaded_says_why(
    config: dict[str, Any], problem: str, tmp_path: Path
) -> None:
    assert problem in inspect(put_adapter(tmp_path / "mine", **config)).problem


def test_a_fully_tuned_adapter_needs_no_lora_words(tmp_path: Path) -> None:
    adapter = put_adapter(
        tmp_path / "mine", fine_tune_type="full", lora_parameters=None, num_layers=None
    )

    assert inspect(adapter).problem == ""


def test_a_truncated_model_still_tells_what_it_would_be(
    tiny_model_dir: Path, tmp_path: Path
) -> None:
    model = put_model(tiny_model_dir, tmp_path / "model")
    with (model / "model.safetensors").open("r+b") as file:
        file.truncate(1_000_000)

    found = inspect(model)

    assert found.problem == (
        "model.safetensors is truncated: it has 1,000,000 of 2,227,115 bytes"
    )
    assert (found.kind, found.size_bytes, found.memory_bytes) == ("vlm", 1_000_000, 0)


def test_nothing_is_read_through_a_link_out(
    tiny_model_dir: Path, tmp_path: Path
) -> None:
    model = put_model(tiny_model_dir, tmp_path / "model")
    (model / "config.json").unlink()
    (model / "config.json").symlink_to(tiny_model_dir / "config.json")

    found = inspect(model)

    assert found.problem == "config.json is a link out of its folder"
    assert found.architecture == ""


def test_a_folder_that_is_none_is_a_problem(tmp_path: Path) -> None:
    assert inspect(tmp_path / "nowhere").problem == "it is no folder"


def encoder(tmp_path: Path, **config: Any) -> LocalModel:
    folder = tmp_path / "encoder"
    write_random_encoder(folder, **config)
    return inspect(folder)


def test_an_encoder_is_found_out_by_its_files(tmp_path: Path) -> None:
    found = encoder(tmp_path, pooling="mean_tokens", architecture="BertModel")
    assert (found.kind, found.capabilities) == ("encoder", ("embeddings",))
    assert (found.problem, found.architecture) == ("", "bert")


def test_a_classifier_of_one_label_is_a_cross_encoder(tmp_path: Path) -> None:
    found = encoder(tmp_path, architecture="BertForSequenceClassification")
    assert (found.kind, found.capabilities) == ("encoder", ("rerank",))
    config = tmp_path / "encoder" / "config.json"
    said = json.loads(config.read_text())
    labels = {"0": "good", "1": "bad"}
    config.write_text(json.dumps(said | {"id2label": labels}))
    assert "2 labels" in inspect(tmp_path / "encoder").problem


def test_an_encoder_without_code_is_a_problem_that_names_its_type(
    tmp_path: Path,
) -> None:
    encoder(tmp_path, pooling="mean_tokens")
    config = tmp_path / "encoder" / "config.json"
    said = json.loads(config.read_text())
    config.write_text(json.dumps(said | {"model_type": "nomic_bert"}))
    found = inspect(tmp_path / "encoder")
    assert (found.kind, "'nomic_bert'" in found.problem) == ("encoder", True)
