"""What a model's `config.json` says of it, each word checked before it is believed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from inference.core.models import ENCODER, TEXT, VISION
from inference.library.errors import LibraryError
from inference.library.files import ADAPTER_CONFIG, CONFIG, read_bounded

if TYPE_CHECKING:
    from pathlib import Path

CONFIG_LIMIT_BYTES = 10_000_000
ADAPTER = "adapter"
# Kinds that write no text by themselves.
NO_DRAFTS = (ADAPTER, ENCODER)
# Keys that name Python code to run on load.
MODEL_FILE = "model_file"
FOREIGN_CODE = (MODEL_FILE, "auto_map")
FINE_TUNES = ("lora", "dora", "full")

_CONTEXT_LIMIT = 2**31 - 1
_WORD_LIMIT = 512
# Ways of packing that are known by a name rather than by a number of bits.
_MODES = ("mxfp4", "mxfp8", "nvfp4")


def read_object(path: Path) -> dict[str, Any]:
    """Return the JSON object in a small file.

    Raises:
        LibraryError: there is no such file, or no object in it.
    """
    text = read_bounded(path, limit_bytes=CONFIG_LIMIT_BYTES)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LibraryError(f"{path.name} cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise LibraryError(f"{path.name} holds no object")
    return content


def read_config(path: Path) -> dict[str, Any]:
    """Return the `config.json` in folder `path`.

    Raises:
        LibraryError: as `read_object`.
    """
    return read_object(path / CONFIG)


def kind_of(config: dict[str, Any]) -> str:
    """Return `vlm` for a config that has a vision part, else `lm`."""
    return VISION if "vision_config" in config else TEXT


def served_kind(found: str, asked: str) -> str:
    """Return the kind to serve a model of kind `found` as; `asked` may be empty.

    Raises:
        LibraryError: images are asked of a model without a vision part, or embeddings
            of one that was not made for them.
    """
    if asked == ENCODER and found != ENCODER:
        raise LibraryError(
            "it was not made for embeddings: a text model makes them with "
            "`embeddings = true`"
        )
    if asked == VISION and found != VISION:
        raise LibraryError("it is a text model: it has no vision part")
    return asked or found


def architecture_of(config: dict[str, Any]) -> str:
    """Return the model type by which mlx-lm chooses its code; empty: none named."""
    return _word(config.get("model_type"))


def context_length_of(config: dict[str, Any]) -> int | None:
    """Return the context length in tokens that a config declares."""
    for part in (config, config.get("text_config")):
        length = _whole(part, "max_position_embeddings")
        if length is not None and 0 < length <= _CONTEXT_LIMIT:
            return length
    return None


def quantization_of(config: dict[str, Any]) -> str:
    """Return how the weights are packed in words (`4-bit`); empty where they are not.

    "mixed" says that some layers are packed otherwise.
    """
    own = config.get("quantization")
    if isinstance(own, dict):
        return _words_for_mlx(own)
    foreign = config.get("quantization_config") or _part(config, "text_config").get(
        "quantization_config"
    )
    return _words_for_others(foreign) if isinstance(foreign, dict) else ""


def foreign_code_of(config: dict[str, Any]) -> str:
    """Return the key that names code of the model's own; empty: none does."""
    return next((key for key in FOREIGN_CODE if config.get(key)), "")


def adapter_base(path: Path) -> str:
    """Return the base model that an adapter folder's config names.

    Raises:
        LibraryError: the config cannot be used to load the adapter.
    """
    config = read_object(path / ADAPTER_CONFIG)
    tuned = config.get("fine_tune_type", "lora")
    if tuned not in FINE_TUNES:
        raise LibraryError(f"{ADAPTER_CONFIG} names a fine_tune_type it does not know")
    if tuned != "full":
        _check_layers(config)
    base = _word(config.get("model"))
    if not base:
        raise LibraryError(f"{ADAPTER_CONFIG} does not name its base as model")
    return base


def _check_layers(config: dict[str, Any]) -> None:
    parameters = config.get("lora_parameters")
    checked = (
        _whole(config, "num_layers") is not None,
        (_whole(parameters, "rank") or 0) > 0,
        isinstance(_part(config, "lora_parameters").get("scale"), int | float),
    )
    keys = ("num_layers", "lora_parameters.rank", "lora_parameters.scale")
    for key, is_there in zip(keys, checked, strict=True):
        if not is_there:
            raise LibraryError(f"{ADAPTER_CONFIG} has no usable {key}")


def _words_for_mlx(packing: dict[str, Any]) -> str:
    mode, bits = _word(packing.get("mode")), _whole(packing, "bits")
    by_bits = "quantized" if bits is None else f"{bits}-bit"
    words = mode if mode in _MODES else by_bits
    layers = [layer for layer in packing.values() if isinstance(layer, dict)]
    others = {_whole(layer, "bits") for layer in layers} - {None, bits}
    return f"{words} mixed" if others else words


def _words_for_others(packing: dict[str, Any]) -> str:
    method = _word(packing.get("quant_method"))
    bits = _whole(packing, "bits")
    return " ".join(filter(None, (f"{bits}-bit" if bits else "", method)))


def _part(config: dict[str, Any], key: str) -> dict[str, Any]:
    part = config.get(key)
    return part if isinstance(part, dict) else {}


def _whole(part: Any, key: str) -> int | None:
    value = part.get(key) if isinstance(part, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _word(value: Any) -> str:
    return value if isinstance(value, str) and len(value) <= _WORD_LIMIT else ""
