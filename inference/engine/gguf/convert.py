"""Turns a GGUF file into an MLX model folder.

`python -m inference.engine.gguf.convert SRC DST --dtype float32|quantized`. float32
unpacks every weight (quickest on a CPU); quantized keeps them as they are: packed,
or 16 bits (smallest, quickest on a GPU). Both hold the file's values: scales stay in
float32, because rounding them to bfloat16 changes what a small model answers.

Without DST nothing is written: what would become of the file is told in one line
of JSON. With it, such lines tell how far the conversion is.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlx.core as mx

from inference.engine.gguf.architectures import blueprint_of, check_tensors
from inference.engine.gguf.header import BITS, GGUFError, GGUFHeader, read_header
from inference.engine.gguf.layers import TensorPlace
from inference.engine.gguf.metadata import Metadata
from inference.engine.gguf.rope import FACTORS, scaling_from_factors
from inference.engine.gguf.shards import SHARD_BYTES, write_shards
from inference.engine.gguf.tokenizer import tokenizer_files
from inference.engine.gguf.weights import (
    BFLOAT16,
    FLOAT32,
    GROUP_SIZE,
    PACKED,
    Weight,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inference.engine.gguf.layers import Blueprint

QUANTIZED = "quantized"
WRONG_FILE = 2
LONGEST_LINE = 500


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """What becomes of a file: its weights in their order there, and the other files."""

    name: str
    weights: list[Weight]
    files: dict[str, Any]

    @property
    def size_bytes(self) -> int:
        """How much the weights will take."""
        return sum(weight.size_bytes for weight in self.weights)

    def summary(self) -> dict[str, Any]:
        """Return what a user is told beforehand."""
        return {
            "name": self.name,
            "architecture": self.files["config.json"]["model_type"],
            "parameters": sum(weight.value_count for weight in self.weights),
            "size_bytes": self.size_bytes,
        }


def plan_of(source: Path, *, dtype: str) -> ImportPlan:
    """Read all of `source` but its weights, and hold everything against each other.

    Raises:
        GGUFError: the file is damaged, or of a kind that is not imported.
    """
    header = read_header(source)
    metadata = Metadata(header.metadata)
    blueprint = blueprint_of(metadata)
    check_tensors(header.tensors, blueprint.places)
    weights = _weights(header, blueprint, dtype)
    files = tokenizer_files(
        metadata, context_length=blueprint.config["max_position_embeddings"]
    )
    config = blueprint.config | _config_of_weights(weights)
    if FACTORS in header.tensors:
        config["rope_scaling"] = _scaling(source, header, config)
    files["config.json"] = config | files["generation_config.json"]
    return ImportPlan(metadata.text("general.name", ""), weights, files)


def convert(
    source: Path,
    target: Path,
    *,
    dtype: str,
    shard_bytes: int = SHARD_BYTES,
    on_progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write the model in `source` into the folder `target`.

    `on_progress` is told the bytes that are written and all there will be.

    Raises:
        GGUFError: the file is damaged, or of a kind that is not imported. Nearly
            all of that is found before anything is written.
    """
    plan = plan_of(source, dtype=dtype)
    target.mkdir(parents=True, exist_ok=True)
    done = 0
    for shard in write_shards(plan.weights, source, target, limit_bytes=shard_bytes):
        done += sum(weight.size_bytes for weight in shard)
        if on_progress is not None:
            on_progress(done, plan.size_bytes)
    for name, content in plan.files.items():
        # A vocabulary is not read by people, and would take a line for each token.
        indent = None if name == "tokenizer.json" else 1
        text = json.dumps(content, ensure_ascii=False, indent=indent)
        (target / name).write_text(text, encoding="utf-8")


def _weights(header: GGUFHeader, blueprint: Blueprint, dtype: str) -> list[Weight]:
    in_file_order = sorted(header.tensors.values(), key=lambda tensor: tensor.offset)
    weights = [
        Weight(tensor, blueprint.places[tensor.name], PACKED)
        for tensor in in_file_order
        if tensor.name != FACTORS
    ]
    plain = _plain_form(weights, dtype, half=blueprint.half)
    return [
        weight
        if dtype == QUANTIZED and weight.tensor.type_name in BITS
        else replace(weight, form=plain)
        for weight in weights
    ]


def _plain_form(weights: Sequence[Weight], dtype: str, *, half: str) -> str:
    """Return the form of what is not packed: one for all, which the model computes in.

    float32 beside packed weights too, because their scales are; half where every
    matrix of the file is.
    """
    matrices = {w.tensor.type_name for w in weights if len(w.tensor.shape) > 1}
    if dtype == QUANTIZED and matrices == {"F16"}:
        return half
    return BFLOAT16 if dtype == QUANTIZED and matrices == {"BF16"} else FLOAT32


def _config_of_weights(weights: Sequence[Weight]) -> dict[str, Any]:
    tied = not any(weight.place.name.startswith("lm_head.") for weight in weights)
    plain = next((w.form for w in weights if w.form != PACKED), FLOAT32)
    config: dict[str, Any] = {"tie_word_embeddings": tied, "torch_dtype": plain}
    if any(weight.form == PACKED for weight in weights):
        config["quantization"] = _quantization(weights)
    return config


def _quantization(weights: Sequence[Weight]) -> dict[str, Any]:
    """Name the usual bits, then each matrix that has others or none."""
    packed = [weight.bits for weight in weights if weight.bits]
    usual = max(set(packed), key=packed.count)
    exceptions = {
        weight.place.name.removesuffix(".weight"): (
            {"group_size": GROUP_SIZE, "bits": weight.bits} if weight.bits else False
        )
        for weight in weights
        if weight.bits != usual and len(weight.tensor.shape) > 1
    }
    return {"group_size": GROUP_SIZE, "bits": usual, **exceptions}


def _scaling(
    source: Path, header: GGUFHeader, config: dict[str, Any]
) -> dict[str, Any] | None:
    tensor = header.tensors[FACTORS]
    factors = Weight(tensor, TensorPlace(FACTORS, tensor.shape), FLOAT32).values(source)
    found = scaling_from_factors(
        factors, head_dim=config["head_dim"], theta=config["rope_theta"]
    )
    if found is not None and config["rope_scaling"] is not None:
        raise GGUFError(f"{FACTORS} and keys for rope scaling are not imported both")
    return found or config["rope_scaling"]


def _tell(line: dict[str, Any]) -> None:
    sys.stdout.write(f"{json.dumps(line)}\n")
    sys.stdout.flush()


def _one_line(error: Exception) -> str:
    """Return an error's text without what a file could have put into it."""
    words = " ".join(str(error).split())
    return "".join(c if c.isprintable() else "?" for c in words)[:LONGEST_LINE]


def main(argv: Sequence[str] | None = None) -> int:
    """Convert one file; a file that is refused is one line and exit code 2."""
    parser = argparse.ArgumentParser(prog="python -m inference.engine.gguf.convert")
    parser.add_argument("source", type=Path, metavar="SRC")
    parser.add_argument("target", type=Path, metavar="DST", nargs="?")
    parser.add_argument("--dtype", choices=(FLOAT32, QUANTIZED), default=QUANTIZED)
    options = parser.parse_args(argv)
    mx.set_default_device(mx.cpu)
    try:
        if options.target is None:
            _tell(plan_of(options.source, dtype=options.dtype).summary())
        else:
            convert(
                options.source,
                options.target,
                dtype=options.dtype,
                on_progress=lambda done, total: _tell(
                    {"done_bytes": done, "total_bytes": total}
                ),
            )
    except (GGUFError, OSError) as error:
        sys.stderr.write(f"error: {options.source.name}: {_one_line(error)}\n")
        return WRONG_FILE
    return 0


if __name__ == "__main__":
    sys.exit(main())
