"""What makes a folder a model: the files that have to be there, and what may not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from inference.library.errors import LibraryError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONFIG = "config.json"
INDEX = "model.safetensors.index.json"
WHOLE = "model.safetensors"
# What mlx-lm loads: files beside it, such as Mistral's `consolidated`, are not.
WEIGHTS = "model*.safetensors"
ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapters.safetensors"
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "*.tiktoken")
# Pickles run code when they are read; the rest is not what MLX loads either.
OTHER_WEIGHTS = (
    *("pytorch_model*.bin", "model*.bin", "*.pt", "*.pth", "*.ckpt", "*.npz"),
    "*.gguf",
)

INDEX_LIMIT_BYTES = 100_000_000
SHARD_LIMIT = 10_000
_NAME_LIMIT = 255
_SHARD = re.compile(r"model-(\d{1,5})-of-(\d{1,5})\.safetensors")


class _Index(msgspec.Struct):
    weight_map: dict[str, str]


def missing_from_model(path: Path) -> str | None:
    """Return what the folder lacks to be a model; `None` if it lacks nothing.

    The words fit before "is missing". Nothing but names is looked at.
    """
    if not (path / CONFIG).is_file():
        return CONFIG
    missing = _missing_shard(path)
    if missing is not None:
        return missing
    return None if weight_files(path) else WEIGHTS


def missing_from_adapter(path: Path) -> str | None:
    """Return what the folder lacks to be an adapter as `mlx_lm.lora` writes it."""
    needed = (ADAPTER_CONFIG, ADAPTER_WEIGHTS)
    return next((name for name in needed if not (path / name).is_file()), None)


def weight_files(path: Path) -> list[Path]:
    """Return the weight files that are loaded, by name."""
    return sorted(file for file in path.glob(WEIGHTS) if file.is_file())


def other_weights(path: Path) -> str:
    """Return the name of a weight file in a format that is not loaded; or nothing."""
    found = (file for pattern in OTHER_WEIGHTS for file in path.glob(pattern))
    return next((file.name for file in found if file.is_file()), "")


def is_adapter(path: Path) -> bool:
    """Whether the folder holds an adapter and no model of its own."""
    return (path / ADAPTER_CONFIG).is_file() and not (path / CONFIG).is_file()


def looks_like_model(path: Path) -> bool:
    """Whether somebody means the folder to be a model, whole or not."""
    return (
        any((path / name).is_file() for name in (CONFIG, ADAPTER_CONFIG))
        or bool(weight_files(path))
        or bool(other_weights(path))
    )


def problem_with_files(path: Path) -> str:
    """Return in words why the files of a model cannot be used; empty: they can.

    Contents are not looked at.
    """
    if is_adapter(path):
        missing = missing_from_adapter(path)
        return "" if missing is None else f"{missing} is missing"
    other = other_weights(path)
    if other and not weight_files(path):
        return _refusal(other)
    missing = missing_from_model(path)
    if missing is None and not any(any(path.glob(name)) for name in TOKENIZERS):
        missing = "its tokenizer (tokenizer.json)"
    return "" if missing is None else f"{missing} is missing"


def link_out(path: Path) -> str:
    """Return the name of a link that leaves the folder; or nothing.

    The hub's cache keeps files beside its snapshots: links within it stay home.

    Raises:
        OSError: the folder cannot be read.
    """
    folder = path.resolve()
    home = folder.parents[2] if _is_snapshot(folder) else folder
    for entry in folder.iterdir():
        if entry.is_symlink():
            target = entry.resolve()
            if target != home and home not in target.parents:
                return entry.name
    return ""


def read_bounded(path: Path, *, limit_bytes: int) -> bytes:
    """Return a file's content.

    Raises:
        LibraryError: it is no file, cannot be read, or is larger than `limit_bytes`.
    """
    try:
        if not path.is_file():  # a pipe would be waited for
            raise LibraryError(f"{path.name} is missing")
        with path.open("rb") as file:
            content = file.read(limit_bytes + 1)
    except OSError as error:
        raise LibraryError(f"{path.name} cannot be read: {error.strerror}") from error
    if len(content) > limit_bytes:
        raise LibraryError(
            f"{path.name} has more than the {limit_bytes:,} bytes that are read of it"
        )
    return content


def _refusal(name: str) -> str:
    words = f"only safetensors are loaded, and it has {name}"
    if name.endswith(".gguf"):
        words += ": `mlx-server import` makes a model of that"
    return words


def _missing_shard(path: Path) -> str | None:
    if (path / INDEX).is_file():
        try:
            names = _indexed_shards(path)
        except (LibraryError, msgspec.MsgspecError, ValueError, RecursionError):
            return f"a readable {INDEX}"
        if not all(map(_is_plain, names)):
            return f"an {INDEX} that names files of its own folder"
        if _is_stale(path, names):
            return None
    else:
        names = set(_numbered_shards(path))
    return next((n for n in sorted(names) if not (path / n).is_file()), None)


def _is_stale(path: Path, names: set[str]) -> bool:
    """Whether the weights were joined to one file, and the index of shards was left.

    The libraries look at no index then.
    """
    is_whole = weight_files(path) == [path / WHOLE]
    return is_whole and not any((path / name).exists() for name in names)


def _indexed_shards(path: Path) -> set[str]:
    content = read_bounded(path / INDEX, limit_bytes=INDEX_LIMIT_BYTES)
    names = set(msgspec.json.decode(content, type=_Index).weight_map.values())
    if not 0 < len(names) <= SHARD_LIMIT:
        raise LibraryError(f"{INDEX} names {len(names)} files")
    return names


def _is_plain(name: str) -> bool:
    """Whether it is the name of a file, and no way into another folder."""
    return (
        0 < len(name) <= _NAME_LIMIT
        and name not in {".", ".."}
        and not set(name) & set("/\\\0")
    )


def _numbered_shards(path: Path) -> Iterator[str]:
    """Yield the names that `model-00001-of-00003.safetensors` says there are."""
    for file in weight_files(path):
        numbers = _SHARD.fullmatch(file.name)
        if numbers is None:
            continue
        count, width = min(int(numbers[2]), SHARD_LIMIT), len(numbers[1])
        for number in range(1, count + 1):
            yield f"model-{number:0{width}}-of-{numbers[2]}.safetensors"
        return


def _is_snapshot(folder: Path) -> bool:
    parents = folder.parents
    return (
        len(parents) > 2
        and parents[0].name == "snapshots"
        and parents[1].name.startswith("models--")
    )
