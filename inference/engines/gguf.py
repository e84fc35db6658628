"""Turns a GGUF file into an MLX model folder.

`python -m inference.engines.gguf SRC DST --dtype float32|quantized`. float32
unpacks every weight (quickest on a CPU); quantized keeps them packed (smallest,
quickest on a GPU). Both hold exactly the file's values: scales stay in float32,
because rounding them to bfloat16 changes what a small model answers.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import mlx.core as mx

from inference.engines.gguf_architectures import (
    Architecture,
    architecture_of,
    required,
)
from inference.engines.gguf_header import GGUFError, GGUFHeader, read_header
from inference.engines.gguf_tokenizer import tokenizer_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

GROUP_SIZE = 32
BITS = {"Q4_0": 4, "Q4_1": 4, "Q8_0": 8}
FLOAT32, QUANTIZED = "float32", "quantized"
WRONG_FILE = 2


@dataclass(frozen=True, slots=True)
class Weight:
    """One tensor on its way: packed where `bits` is set, plain otherwise."""

    name: str
    array: mx.array
    scales: mx.array | None = None
    biases: mx.array | None = None
    bits: int = 0

    def unpacked(self) -> mx.array:
        """Return the values themselves, in float32."""
        if self.scales is None or self.biases is None:
            return self.array.astype(mx.float32)
        return mx.dequantize(
            self.array,
            self.scales.astype(mx.float32),
            self.biases.astype(mx.float32),
            group_size=GROUP_SIZE,
            bits=self.bits,
        )

    def arrays(self) -> Iterator[tuple[str, mx.array]]:
        """Yield what a quantized layer stores, or the plain array."""
        if self.scales is None or self.biases is None:
            yield self.name, self.unpacked()
            return
        module = self.name.removesuffix(".weight")
        yield self.name, self.array
        yield f"{module}.scales", self.scales.astype(mx.float32)
        yield f"{module}.biases", self.biases.astype(mx.float32)


def convert(source: Path, target: Path, *, dtype: str) -> None:
    """Write the model in `source` into the folder `target`.

    Raises:
        GGUFError: the file is damaged, or of a kind that is not imported.
    """
    header = read_header(source)
    architecture = architecture_of(header.metadata)
    config = architecture.config(header.metadata)
    files = tokenizer_files(
        header.metadata, context_length=config["max_position_embeddings"]
    )
    weights = list(_weights(source, header, architecture))
    config |= _config_of_weights(weights, dtype)
    config |= files["generation_config.json"]
    target.mkdir(parents=True, exist_ok=True)
    arrays = _arrays(weights, dtype)
    mx.save_safetensors(str(target / "model.safetensors"), arrays, {"format": "mlx"})
    for name, content in {"config.json": config, **files}.items():
        (target / name).write_text(json.dumps(content, ensure_ascii=False, indent=1))


def _weights(
    source: Path, header: GGUFHeader, architecture: Architecture
) -> Iterator[Weight]:
    loaded = cast("dict[str, mx.array]", mx.load(str(source), format="gguf"))
    for name, type_name in header.tensors.items():
        heads_key = architecture.heads_key(name)
        heads = required(header.metadata, heads_key) if heads_key else None
        module = name.removesuffix(".weight")
        yield Weight(
            name=architecture.to_mlx_name(name),
            array=_in_order(loaded[name], heads),
            scales=_in_order(loaded.get(f"{module}.scales"), heads),
            biases=_in_order(loaded.get(f"{module}.biases"), heads),
            bits=BITS.get(type_name, 0),
        )


def _in_order(rows: mx.array | None, heads: int | None) -> mx.array | None:
    """Undo GGUF's order of rows: per head (half, 2) becomes (2, half).

    Packed weights, scales and biases alike have one row per output.
    """
    if rows is None or heads is None:
        return rows
    if heads < 1 or rows.shape[0] % (2 * heads):
        raise GGUFError(f"{rows.shape[0]} rows are no whole number of {heads} heads")
    half = rows.shape[0] // heads // 2
    folded = rows.reshape(heads, half, 2, *rows.shape[1:])
    return folded.swapaxes(1, 2).reshape(rows.shape)


def _arrays(weights: Sequence[Weight], dtype: str) -> dict[str, mx.array]:
    if dtype == FLOAT32:
        return {weight.name: weight.unpacked() for weight in weights}
    return dict(pair for weight in weights for pair in weight.arrays())


def _config_of_weights(weights: Sequence[Weight], dtype: str) -> dict[str, Any]:
    tied = not any(weight.name.startswith("lm_head.") for weight in weights)
    config: dict[str, Any] = {"tie_word_embeddings": tied, "torch_dtype": "float32"}
    if dtype == QUANTIZED:
        config["quantization"] = _quantization(weights)
    return config


def _quantization(weights: Sequence[Weight]) -> dict[str, Any]:
    """Name the usual bits, then each matrix that has others or none."""
    packed = [weight.bits for weight in weights if weight.bits]
    if not packed:
        raise GGUFError("none of the weights is quantized: use --dtype float32")
    usual = max(set(packed), key=packed.count)
    exceptions = {
        weight.name.removesuffix(".weight"): (
            {"group_size": GROUP_SIZE, "bits": weight.bits} if weight.bits else False
        )
        for weight in weights
        if weight.bits != usual and weight.array.ndim > 1
    }
    return {"group_size": GROUP_SIZE, "bits": usual, **exceptions}


def main(argv: Sequence[str] | None = None) -> int:
    """Convert one file; a file that is refused is one line and exit code 2."""
    parser = argparse.ArgumentParser(prog="python -m inference.engines.gguf")
    parser.add_argument("source", type=Path, metavar="SRC")
    parser.add_argument("target", type=Path, metavar="DST")
    parser.add_argument("--dtype", choices=(FLOAT32, QUANTIZED), default=QUANTIZED)
    options = parser.parse_args(argv)
    try:
        convert(options.source, options.target, dtype=options.dtype)
    except (GGUFError, OSError) as error:
        sys.stderr.write(f"error: {options.source.name}: {error}\n")
        return WRONG_FILE
    return 0


if __name__ == "__main__":
    sys.exit(main())
