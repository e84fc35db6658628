"""Writes relatives of a model: drafts that agree with it a lot, a little, or not.

usage: make_drafts.py MODEL_DIR OUT KIND AMOUNT

KIND and AMOUNT: `first-layers N` keeps the first N layers; `null-layers N` adds N
layers that change nothing (a larger model with the very same answers); `bits N`
rounds all weights to N bits; `noise X` adds normal noise of X standard deviations;
`vocabulary N` cuts or pads the embedding to N tokens, the tokenizer stays.
The layers of Llama's and Qwen's shape are known.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import mlx.core as mx

if TYPE_CHECKING:
    from collections.abc import Callable

Weights: TypeAlias = "dict[str, mx.array]"
_LAYER = re.compile(r"^(model\.layers\.)(\d+)(\..*)$")
# What a layer adds to the stream comes out of these two.
_OUTPUTS = (".o_proj.", ".down_proj.")


def first_layers(weights: Weights, layers: int, count: int) -> tuple[Weights, int]:
    """Keep the first `count` layers."""
    kept = {
        name: array
        for name, array in weights.items()
        if (found := _LAYER.match(name)) is None or int(found[2]) < count
    }
    return kept, min(layers, count)


def null_layers(weights: Weights, layers: int, count: int) -> tuple[Weights, int]:
    """Add `count` layers whose outputs are zero."""
    grown = dict(weights)
    for name, array in weights.items():
        if (found := _LAYER.match(name)) is None or found[2] != "0":
            continue
        is_output = any(part in name for part in _OUTPUTS)
        for layer in range(layers, layers + count):
            grown[f"{found[1]}{layer}{found[3]}"] = (
                mx.zeros_like(array) if is_output else array
            )
    return grown, layers + count


def bits(weights: Weights, layers: int, count: int) -> tuple[Weights, int]:
    """Round all matrices to `count` bits."""

    def rounded(array: mx.array) -> mx.array:
        if array.ndim != 2 or array.shape[-1] % 32:
            return array
        packed = mx.quantize(array, group_size=32, bits=count)
        return mx.dequantize(*packed, group_size=32, bits=count)

    return {name: rounded(array) for name, array in weights.items()}, layers


def noise(weights: Weights, layers: int, amount: float) -> tuple[Weights, int]:
    """Add noise to all matrices, in shares of their own standard deviation."""
    mx.random.seed(0)
    shaken = {
        name: array
        if array.ndim != 2
        else array + amount * mx.std(array) * mx.random.normal(array.shape)
        for name, array in weights.items()
    }
    return shaken, layers


def vocabulary(weights: Weights, layers: int, count: int) -> tuple[Weights, int]:
    """Cut the embedding to `count` tokens, or pad it with zeros."""
    name = "model.embed_tokens.weight"
    embedding = weights[name][:count]
    padding = mx.zeros((count - embedding.shape[0], embedding.shape[1]))
    return {**weights, name: mx.concatenate([embedding, padding])}, layers


KINDS: dict[str, Callable[..., tuple[Weights, int]]] = {
    "first-layers": first_layers,
    "null-layers": null_layers,
    "bits": bits,
    "noise": noise,
    "vocabulary": vocabulary,
}


def make_draft(source: Path, target: Path, kind: str, amount: float) -> Path:
    """Write the relative of the model in `source` to `target`, and return that."""
    loaded = mx.load(str(source / "model.safetensors"))
    assert isinstance(loaded, dict)
    config = json.loads((source / "config.json").read_text())
    weights, config["num_hidden_layers"] = KINDS[kind](
        loaded, config["num_hidden_layers"], amount if kind == "noise" else int(amount)
    )
    config["vocab_size"] = weights["model.embed_tokens.weight"].shape[0]
    target.mkdir(parents=True, exist_ok=True)
    for file in source.glob("*.json"):
        shutil.copy(file, target / file.name)
    mx.save_safetensors(
        str(target / "model.safetensors"), weights, metadata={"format": "mlx"}
    )
    (target / "config.json").write_text(json.dumps(config))
    return target


if __name__ == "__main__":
    make_draft(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], float(sys.argv[4]))
