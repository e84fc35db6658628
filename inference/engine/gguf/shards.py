"""Writes a model's weights as safetensors files of a bounded size, one after another.

Only one file's arrays are in memory at a time, and one tensor on its way to them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import mlx.core as mx

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from inference.engine.gguf.weights import Weight

SHARD_BYTES = 2 << 30
INDEX = "model.safetensors.index.json"


def write_shards(
    weights: Sequence[Weight],
    source: Path,
    target: Path,
    *,
    limit_bytes: int = SHARD_BYTES,
) -> Iterator[list[Weight]]:
    """Write `weights` into `target`, with an index where they take several files.

    Yields what each file holds, once it is written. That is more than `limit_bytes`
    only where a single tensor is.
    """
    shards = _grouped(weights, limit_bytes)
    places: dict[str, str] = {}
    for number, shard in enumerate(shards, start=1):
        name = _file_name(number, len(shards))
        arrays = dict(pair for weight in shard for pair in weight.arrays(source))
        mx.save_safetensors(str(target / name), arrays, {"format": "mlx"})
        places |= dict.fromkeys(arrays, name)
        del arrays
        yield shard
    if len(shards) > 1:
        total_size = sum(weight.size_bytes for weight in weights)
        index = {"metadata": {"total_size": total_size}, "weight_map": places}
        (target / INDEX).write_text(json.dumps(index, indent=1), encoding="utf-8")


def _grouped(weights: Sequence[Weight], limit_bytes: int) -> list[list[Weight]]:
    shards: list[list[Weight]] = []
    room = 0
    for weight in weights:
        if not shards or weight.size_bytes > room:
            shards.append([])
            room = limit_bytes
        shards[-1].append(weight)
        room -= weight.size_bytes
    return shards


def _file_name(number: int, count: int) -> str:
    if count == 1:
        return "model.safetensors"
    return f"model-{number:05}-of-{count:05}.safetensors"
