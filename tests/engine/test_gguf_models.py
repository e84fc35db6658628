"""An imported model computes what the model computed that was written to the file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import mlx.core as mx
import numpy as np
import pytest
from mlx.utils import tree_flatten
from mlx_lm import load

from inference.engine.gguf.convert import convert
from inference.engine.gguf.header import GGUFError, read_header
from tests.engine.gguf_models import MODULES, RandomModel, random_model

if TYPE_CHECKING:
    from pathlib import Path

TOKENS = [3, 9, 11, 5, 5, 60, 7, 12, 30, 2, 1, 8]
FEW_BITS = ("Q4_0", "Q4_1", "Q8_0")


def imported(random: RandomModel, folder: Path, *, dtype: str) -> tuple[Any, Any, Any]:
    """Write, import and load; return model, tokenizer and config."""
    source = random.file.write(folder / "model.gguf")
    convert(source, folder / "model", dtype=dtype)
    config = json.loads((folder / "model" / "config.json").read_text())
    return *load(str(folder / "model"))[:2], config


def refusal_of(random: RandomModel, folder: Path) -> str:
    """Return why the model's file is not imported."""
    source = random.file.write(folder / "model.gguf")
    with pytest.raises(GGUFError) as refusal:
        convert(source, folder / "model", dtype="quantized")
    assert not (folder / "model").exists()
    return str(refusal.value)


def logits_of(model: Any, tokens: list[int]) -> np.ndarray:
    """Compute all logits for one sequence, in float32."""
    return np.array(model(mx.array([tokens])).astype(mx.float32))


@pytest.mark.parametrize("architecture", MODULES)
@pytest.mark.parametrize("type_name", ["F32", "F16", *FEW_BITS])
def test_an_unpacked_model_gives_the_logits_of_the_original(
    tmp_path: Path, architecture: str, type_name: str
) -> None:
    original = random_model(architecture, type_name)

    model, _, config = imported(original, tmp_path, dtype="float32")

    found, expected = logits_of(model, TOKENS), original.logits(TOKENS)
    assert expected.std() > 0.05
    np.testing.assert_allclose(found, expected, atol=2e-5)
    assert config["torch_dtype"] == "float32"


@pytest.mark.parametrize("architecture", MODULES)
@pytest.mark.parametrize("type_name", FEW_BITS)
def test_a_packed_model_gives_the_logits_of_the_original(
    tmp_path: Path, architecture: str, type_name: str
) -> None:
    original = random_model(architecture, type_name)

    model, _, config = imported(original, tmp_path, dtype="quantized")

    bits = 8 if type_name == "Q8_0" else 4
    assert config["quantization"] == {"group_size": 32, "bits": bits}
    assert model.layers[0].mlp.up_proj.weight.dtype == mx.uint32
    found, expected = logits_of(model, TOKENS), original.logits(TOKENS)
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("architecture", ["llama", "qwen2", "gemma3"])
def test_an_output_matrix_of_its_own_is_used(tmp_path: Path, architecture: str) -> None:
    original = random_model(architecture, "Q8_0", tied=False)

    model, _, config = imported(original, tmp_path, dtype="quantized")

    assert config["tie_word_embeddings"] is False
    found, expected = logits_of(model, TOKENS), original.logits(TOKENS)
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("architecture", "dtype"),
    [("llama", mx.float16), ("qwen2", mx.bfloat16), ("gemma2", mx.bfloat16)],
)
def test_16_bit_weights_stay_16_bits(
    tmp_path: Path, architecture: str, dtype: mx.Dtype
) -> None:
    """In float16 the activations of some families overflow: theirs is bfloat16."""
    original = random_model(architecture, "F16")

    model, _, config = imported(original, tmp_path, dtype="quantized")

    assert {array.dtype for _, array in tree_flatten(model.parameters())} == {dtype}
    assert "quantization" not in config
    found, expected = logits_of(model, TOKENS), original.logits(TOKENS)
    assert np.abs(found - expected).mean() < 0.05 * expected.std()


def test_matrices_of_several_types_keep_theirs(tmp_path: Path) -> None:
    types = {"token_embd.weight": "Q8_0", "output.weight": "F16"}
    original = random_model("llama", "Q4_1", tied=False, types=types)

    model, _, config = imported(original, tmp_path, dtype="quantized")

    assert config["quantization"] == {
        "group_size": 32,
        "bits": 4,
        "model.embed_tokens": {"group_size": 32, "bits": 8},
        "lm_head": False,
    }
    assert model.model.embed_tokens.bits == 8
    assert model.lm_head.weight.dtype == mx.float32
    found, expected = logits_of(model, TOKENS), original.logits(TOKENS)
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("limit_bytes", [1, 9_000, 20_000])
def test_a_large_model_becomes_several_files_with_an_index(
    tmp_path: Path, limit_bytes: int
) -> None:
    original = random_model("llama", "Q4_0")
    source = original.file.write(tmp_path / "model.gguf")

    convert(source, tmp_path / "model", dtype="quantized", shard_bytes=limit_bytes)

    made = tmp_path / "model"
    index = json.loads((made / "model.safetensors.index.json").read_text())
    files = sorted(path.name for path in made.glob("*.safetensors"))
    assert files[0] == f"model-00001-of-{len(files):05}.safetensors"
    assert len(files) > 2
    assert set(index["weight_map"].values()) == set(files)
    arrays = {name: mx.load(str(made / name)) for name in files}
    for name, file in index["weight_map"].items():
        assert name in arrays[file]
    sizes = [sum(a.nbytes for a in arrays[name].values()) for name in files]
    assert sum(sizes) == index["metadata"]["total_size"]
    assert all(size <= limit_bytes for size in sizes) or limit_bytes == 1
    model, *_ = load(str(made))
    np.testing.assert_allclose(
        logits_of(model, TOKENS), original.logits(TOKENS), atol=1e-4
    )


def test_positions_are_stretched_as_llama_3_stretches_them(tmp_path: Path) -> None:
    scaling = {
        "rope_type": "llama3",
        "factor": 32.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    }
    original = random_model("llama", rope_scaling=scaling)
    plain = random_model("llama")
    rope, plain_rope = (
        random.model.layers[0].self_attn.rope for random in (original, plain)
    )
    usual = plain_rope.base ** (np.arange(0, 16, 2) / 16)
    factors = (np.array(rope._freqs) / usual).astype(np.float32)
    original.file.tensors["rope_freqs.weight"] = factors

    model, _, config = imported(original, tmp_path, dtype="float32")

    assert config["rope_scaling"] == scaling
    found = np.array(model.layers[1].self_attn.rope._freqs)
    np.testing.assert_allclose(found, np.array(rope._freqs), rtol=1e-5)
    assert found[-1] > usual[-1]


def test_factors_that_stretch_nothing_change_nothing(tmp_path: Path) -> None:
    original = random_model("llama")
    original.file.tensors["rope_freqs.weight"] = np.ones(8, dtype=np.float32)

    _, _, config = imported(original, tmp_path, dtype="float32")

    assert config["rope_scaling"] is None


def test_factors_of_another_rule_are_refused(tmp_path: Path) -> None:
    original = random_model("llama")
    factors = np.linspace(1, 8, 8, dtype=np.float32)
    original.file.tensors["rope_freqs.weight"] = factors

    message = refusal_of(original, tmp_path)

    assert message == "rope_freqs.weight does not stretch positions as Llama 3 does"


@pytest.mark.parametrize("architecture", ["llama", "qwen2", "gemma3"])
def test_linear_scaling_of_positions_is_carried_over(
    tmp_path: Path, architecture: str
) -> None:
    scaling = {"type": "linear", "rope_type": "linear", "factor": 4.0}
    original = random_model(architecture, rope_scaling=scaling)
    # Without a type, a factor means linear.
    original.file.metadata[f"{architecture}.rope.scaling.factor"] = 4.0

    model, _, _ = imported(original, tmp_path, dtype="float32")

    found, expected = logits_of(model, TOKENS), original.logits(TOKENS)
    np.testing.assert_allclose(found, expected, atol=2e-5)
    unscaled = random_model(architecture).logits(TOKENS)
    assert np.abs(unscaled - expected).max() > 1e-3


@pytest.mark.parametrize(
    ("architecture", "key", "value", "message"),
    [
        ("llama", "rope.scaling.type", "yarn", "rope scaling yarn is not imported"),
        ("qwen2", "rope.scaling.type", "longrope", "rope scaling longrope is not"),
        ("llama", "rope.scaling.attn_factor", 2.0, "llama.rope.scaling.attn_factor"),
        ("gemma", "rope.scaling.type", "linear", "gemma.rope.scaling.type is not"),
        ("llama", "expert_count", 8, "llama.expert_count is not imported"),
        ("llama", "logit_scale", 0.5, "llama.logit_scale is not imported"),
        ("llama", "rope.dimension_count", 8, "llama.rope.dimension_count is 8, not"),
        ("gemma2", "attention.value_length", 8, "gemma2.attention.value_length is 8"),
        ("gemma3", "final_logit_softcapping", 30.0, "gemma3.final_logit_softcapping"),
        ("llama", "vocab_size", 9, "llama.vocab_size is 9, not 98"),
        ("llama", "attention.head_count", 3, "3 heads cannot share 2 key and value"),
        ("llama", "attention.head_count_kv", [2, 2], "llama.attention.head_count_kv"),
        ("llama", "block_count", 2**31, "llama.block_count is 2147483648, which"),
        ("llama", "block_count", 3, "tensor blk.2.attn_q.weight is missing"),
        ("llama", "block_count", 1, "tensor blk.1."),
        ("llama", "embedding_length", 32, "tensor token_embd.weight is 98 x 64; the"),
        ("llama", "feed_forward_length", 64, "tensor blk.0.ffn_gate.weight is 96 x"),
        ("llama", "attention.key_length", 15, "heads of 15 values"),
        ("qwen2", "attention.key_length", 32, "qwen2.attention.value_length is 16"),
        ("gemma3", "attention.sliding_window_pattern", 6, "2 layers are too few"),
        ("llama", "rope.freq_base", float("nan"), "llama.rope.freq_base is nan"),
    ],
)
def test_it_refuses_metadata_that_it_cannot_follow(
    tmp_path: Path, architecture: str, key: str, value: Any, message: str
) -> None:
    original = random_model(architecture)
    original.file.metadata[f"{architecture}.{key}"] = value

    assert refusal_of(original, tmp_path).startswith(message)


def test_it_names_a_missing_tensor(tmp_path: Path) -> None:
    original = random_model("qwen2", "Q4_0")
    del original.file.tensors["blk.1.attn_k.bias"]

    assert refusal_of(original, tmp_path) == "tensor blk.1.attn_k.bias is missing"


def test_it_names_a_surplus_tensor(tmp_path: Path) -> None:
    original = random_model("gemma", "Q4_0")
    tensors = original.file.tensors
    tensors["output.weight"] = tensors["token_embd.weight"]

    message = refusal_of(original, tmp_path)

    assert message == "tensor output.weight has no place in this architecture"


def test_it_refuses_a_vector_in_blocks(tmp_path: Path) -> None:
    original = random_model("llama")
    original.file.types["output_norm.weight"] = "Q8_0"

    message = refusal_of(original, tmp_path)

    assert message == "tensor output_norm.weight is a vector in Q8_0"


def test_it_refuses_a_part_of_a_split_file(tmp_path: Path) -> None:
    original = random_model("llama")
    original.file.metadata["split.count"] = 3

    assert refusal_of(original, tmp_path).startswith("this is one of several parts")


def test_it_refuses_scales_that_are_no_numbers(tmp_path: Path) -> None:
    original = random_model("llama", "Q8_0")
    source = original.file.write(tmp_path / "model.gguf")
    tensor = read_header(source).tensors["blk.1.ffn_up.weight"]
    with source.open("r+b") as file:
        file.seek(tensor.offset + 34)
        file.write(np.array(np.inf, dtype="<f2").tobytes())

    with pytest.raises(GGUFError, match="a block's scale is no finite number"):
        convert(source, tmp_path / "model", dtype="float32")


def test_the_largest_gemmas_scale_queries_by_another_size(tmp_path: Path) -> None:
    """Only the number of layers tells them; a head has 32 values, this model 64/4."""
    original = random_model("gemma2", num_hidden_layers=46)

    _, _, config = imported(original, tmp_path, dtype="float32")

    assert config["query_pre_attn_scalar"] == 16
