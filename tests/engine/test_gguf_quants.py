"""Files in any of llama.cpp's quantizations become models of the same values."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import mlx.core as mx
import numpy as np
import pytest
from gguf import GGUFValueType, GGUFWriter
from gguf.constants import GGMLQuantizationType
from mlx.utils import tree_flatten
from mlx_lm import load

from inference.engine.gguf import weights
from inference.engine.gguf.convert import convert, main
from inference.engine.gguf.header import BITS
from tests.engine.gguf_models import (
    BYTE_LEVEL_TOKENS,
    WHOLE_BLOCKS,
    RandomModel,
    random_model,
)

if TYPE_CHECKING:
    from pathlib import Path

TOKENS = [3, 9, 11, 5, 5, 60, 7, 12, 30, 2, 1, 8]
# How Q4_K_M mixes types: more bits for what it hurts most to round.
Q4_K_M = {
    f"blk.{layer}.{name}.weight": "Q6_K"
    for layer in (0, 1)
    for name in ("attn_v", "ffn_down")
} | {"output.weight": "Q6_K"}
# The writer takes no empty list, so there has to be a merge.
TOKENIZER = {
    "model": "gpt2",
    "pre": "qwen2",
    "tokens": [*BYTE_LEVEL_TOKENS, "ab"],
    "token_type": [1] * (len(BYTE_LEVEL_TOKENS) - 2) + [3, 3, 1],
    "merges": ["a b"],
    "eos_token_id": len(BYTE_LEVEL_TOKENS) - 1,
}


def model_in(type_name: str, **options: Any) -> RandomModel:
    """Return a random llama whose rows are whole blocks of any type."""
    return random_model("llama", type_name, **WHOLE_BLOCKS, **options)


def imported(original: RandomModel, folder: Path, *, dtype: str) -> Any:
    """Write, import and load a model."""
    source = original.file.write(folder / "model.gguf")
    convert(source, folder / "model", dtype=dtype)
    return load(str(folder / "model"))[0]


def logits_of(model: Any) -> np.ndarray:
    return np.array(model(mx.array([TOKENS])).astype(mx.float32))


@pytest.mark.parametrize("type_name", BITS)
def test_every_quantization_is_unpacked_to_what_it_stands_for(
    tmp_path: Path, type_name: str
) -> None:
    original = model_in(type_name)

    model = imported(original, tmp_path, dtype="float32")

    found, expected = logits_of(model), original.logits(TOKENS)
    assert expected.std() > 0.05
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("type_name", BITS)
def test_a_quantized_matrix_stays_one(tmp_path: Path, type_name: str) -> None:
    """Exactly, where MLX has such groups; else within one of many more steps."""
    original = model_in(type_name)

    model = imported(original, tmp_path, dtype="quantized")

    layer = model.layers[1].mlp.up_proj
    assert layer.weight.dtype == mx.uint32
    assert (layer.bits, layer.group_size) == (BITS[type_name], 32)
    found = np.array(
        mx.dequantize(
            layer.weight, layer.scales, layer.biases, group_size=32, bits=layer.bits
        )
    )
    groups = original.file.tensors["blk.1.ffn_up.weight"].reshape(-1, 32)
    extent = np.abs(groups).max(axis=1) * 2
    allowed = 1.01 * extent / (2.0**layer.bits - 1)
    if type_name in weights.AFFINE:
        allowed = 1e-6 * extent
    errors = np.abs(found.reshape(-1, 32) - groups).max(axis=1)
    assert (errors <= allowed).all()


@pytest.mark.parametrize(("dtype", "error"), [("float32", 1e-5), ("quantized", 0.02)])
def test_a_q4_k_m_file_of_llama_cpp_s_own_writer_becomes_a_model(
    tmp_path: Path, dtype: str, error: float
) -> None:
    original = model_in("Q4_K", types=Q4_K_M, tied=False, tokenizer=TOKENIZER)
    source = written_by_llama_cpp(original, tmp_path / "model.Q4_K_M.gguf")

    code = main([str(source), str(tmp_path / "model"), "--dtype", dtype])

    assert code == 0
    model, *_ = load(str(tmp_path / "model"))
    found, expected = logits_of(model), original.logits(TOKENS)
    assert np.abs(found - expected).mean() < error * expected.std()
    assert found.argmax(-1).tolist() == expected.argmax(-1).tolist()
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    if dtype == "quantized":
        mixed = {"group_size": 32, "bits": 8}
        assert config["quantization"]["bits"] == 4
        assert config["quantization"]["lm_head"] == mixed


def test_a_tensor_is_the_same_read_a_few_rows_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = model_in("Q4_K", types=Q4_K_M)
    source = original.file.write(tmp_path / "model.gguf")
    convert(source, tmp_path / "whole", dtype="quantized")

    monkeypatch.setattr(weights, "VALUES_AT_A_TIME", 3 * 256)
    convert(source, tmp_path / "sliced", dtype="quantized")

    whole, sliced = (
        (tmp_path / name / "model.safetensors").read_bytes()
        for name in ("whole", "sliced")
    )
    assert whole == sliced


def test_weights_in_bfloat16_stay_as_they_are(tmp_path: Path) -> None:
    original = random_model("qwen2", "BF16")

    model = imported(original, tmp_path, dtype="quantized")

    found = dict(tree_flatten(model.parameters()))
    assert {array.dtype for array in found.values()} == {mx.bfloat16}
    matrix = found["model.layers.0.mlp.up_proj.weight"].astype(mx.float32)
    expected = original.file.tensors["blk.0.ffn_up.weight"]
    np.testing.assert_array_equal(np.array(matrix), expected)


def written_by_llama_cpp(original: RandomModel, path: Path) -> Path:
    """Write a model's file with the package of llama.cpp."""
    writer = GGUFWriter(path, original.architecture)
    for key, value in original.file.metadata.items():
        if key != "general.architecture":
            kind = GGUFValueType.get_type(value)
            inner = GGUFValueType.get_type(value[0]) if value and kind == 9 else None
            writer.add_key_value(key, value, kind, inner)
    for name, values in original.file.tensors.items():
        raw = original.file.raw.get(name)
        if raw is None:
            writer.add_tensor(name, values)
        else:
            rows = np.frombuffer(raw, dtype=np.uint8).reshape(len(values), -1)
            block_type = GGMLQuantizationType[original.file.types[name]]
            writer.add_tensor(name, rows, raw_dtype=block_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
