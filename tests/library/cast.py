"""Model folders, whole and broken, laid out as other programs lay them out."""

from __future__ import annotations

import json
import shutil
import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

REVISION = "0123456789abcdef0123456789abcdef01234567"
LORA = {
    "fine_tune_type": "lora",
    "model": "org/base",
    "num_layers": 2,
    "lora_parameters": {"rank": 8, "scale": 20.0, "dropout": 0.0},
}


def put_model(source: Path, target: Path, **config: Any) -> Path:
    """Copy a model; `config` overrides words of its config.json."""
    shutil.copytree(source, target)
    path = target / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | config))
    return target


def put_adapter(target: Path, **config: Any) -> Path:
    """Write an adapter as `mlx_lm.lora` does; `config` overrides its words."""
    target.mkdir(parents=True)
    (target / "adapter_config.json").write_text(json.dumps(LORA | config))
    tensors = {"layers.0.lora_a": tensor("F32", [4, 8], 0)}
    put_tensors(target / "adapters.safetensors", tensors, 128)
    return target


def put_in_hub_cache(
    source: Path, cache: Path, repo_id: str, *, revision: str = REVISION
) -> Path:
    """Copy a model into a hub cache, where snapshots are links; return the snapshot."""
    repo = cache / f"models--{repo_id.replace('/', '--')}"
    snapshot, blobs = repo / "snapshots" / revision, repo / "blobs"
    for folder in (snapshot, blobs, repo / "refs"):
        folder.mkdir(parents=True, exist_ok=True)
    for file in source.iterdir():
        blob = blobs / f"{revision[:8]}-{file.name}"
        shutil.copy(file, blob)
        (snapshot / file.name).symlink_to(f"../../blobs/{blob.name}")
    (repo / "refs" / "main").write_text(revision)
    return snapshot


def tensor(dtype: str, shape: list[int], begin: int, size: int = 0) -> dict[str, Any]:
    """A header's entry of a tensor with 4 bytes a number, or of `size` bytes."""
    length = size
    if not size:
        length = 4
        for count in shape:
            length *= count
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, begin + length]}


def put_tensors(path: Path, header: Any, data_bytes: int) -> Path:
    """Write a safetensors file with this header, true or not."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(data_bytes))
    return path
