"""Whether a `config.json` can be of these weights: its numbers held against theirs.

A library builds what a config says before it looks at the weights: a thousand million
layers for ever. What is refused here is plainly impossible; what merely does not fit
is the library's to say. So weights may be packed, tied, of experts, sharded or named
in any way, may have layers that the config does not count, and a config may describe
parts that were left out of the weights.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from inference.library.errors import LibraryError
from inference.library.files import CONFIG

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

LAYERS = (
    "num_hidden_layers",
    *("num_layers", "n_layers", "n_layer", "layers", "depth"),
    *("encoder_layers", "decoder_layers", "num_transformer_layers"),
)
VOCABULARY = "vocab_size"
# Each is a side of some tensor, packed or not, or less than one.
WIDTHS = (
    VOCABULARY,
    *("hidden_size", "intermediate_size", "moe_intermediate_size"),
    *("d_model", "n_embd", "model_dim", "dim"),
    *("num_attention_heads", "num_key_value_heads", "n_head", "head_dim"),
)
EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")
POSITIONS = ("max_position_embeddings", "n_positions")

LAYERS_MOST = 1000
EXPERTS_MOST = 4096
WIDTH_MOST = 2**26
POSITIONS_MOST = 2**31 - 1
# Layers that share weights, and vocabularies that are padded, stay well within.
_SPARE = 4
# As many numbers as one of a packed tensor may hold; factors of embeddings are less.
_PACKED = 32
_DEPTH_MOST = 8
# Parts whose weights are those of the model itself: a tower may be left out.
_OWN_PARTS = ("", "text_config", "llm_config", "language_config")
_LAYER = re.compile(r"(?:^|\.)(?:\w*layers?|\w*blocks?|h)\.\d{1,9}\.")
_NUMBER = re.compile(r"(?:^|\.)(\d{1,9})(?=\.)")
_EMBEDDING = re.compile(
    r"(?:^|\.)(?:embed_tokens|wte|tok_embeddings|word_embeddings|embed_in)\.weight$"
)


def check_sizes(config: dict[str, Any], shapes: Mapping[str, Sequence[int]]) -> None:
    """Hold the numbers of a config against the tensors of the weights.

    Raises:
        LibraryError: one cannot be; names its key, what it says and what there is.
    """
    for path, part in _parts(config, ""):
        _check_bounds(path, part)
    for path in _OWN_PARTS:
        own: Any = config.get(path) if path else config
        if isinstance(own, dict):
            _check_layers(path, own, shapes)
            _check_widths(path, own, shapes)


def _parts(part: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield a config and those inside it, each with its path."""
    yield path, part
    if path.count(".") < _DEPTH_MOST:
        for key, value in part.items():
            if isinstance(value, dict):
                yield from _parts(value, f"{path}.{key}".lstrip("."))


def _check_bounds(path: str, part: dict[str, Any]) -> None:
    bounds = (
        *((key, LAYERS_MOST) for key in LAYERS),
        *((key, EXPERTS_MOST) for key in EXPERTS),
        *((key, WIDTH_MOST) for key in WIDTHS),
        *((key, POSITIONS_MOST) for key in POSITIONS),
    )
    for key, most in bounds:
        for number in _numbers(part.get(key)):
            if number > most:
                raise _wrong(path, key, number, f"no model has more than {most:,}")


def _check_layers(
    path: str, part: dict[str, Any], shapes: Mapping[str, Sequence[int]]
) -> None:
    if not any(map(_LAYER.search, shapes)):
        return
    # Whatever is numbered counts: experts too, so this is rather too much.
    numbered = 1 + max(int(n) for name in shapes for n in _NUMBER.findall(name))
    for key in LAYERS:
        for number in _numbers(part.get(key)):
            if number < 0 or number > _SPARE * numbered:
                what = f"the weights hold no more than {numbered:,} of anything"
                raise _wrong(path, key, number, what)


def _check_widths(
    path: str, part: dict[str, Any], shapes: Mapping[str, Sequence[int]]
) -> None:
    widest = max((side for shape in shapes.values() for side in shape), default=0)
    rows = max(
        (s[0] for n, s in shapes.items() if s and _EMBEDDING.search(n)), default=0
    )
    bounds = dict.fromkeys(
        WIDTHS, (_PACKED * widest, "no tensor of the weights", widest)
    )
    if rows:
        bounds[VOCABULARY] = (_SPARE * rows, "no embedding of the weights", rows)
    for key, (most, what, there) in bounds.items():
        for number in _numbers(part.get(key)):
            if not 0 <= number <= most:
                raise _wrong(path, key, number, f"{what} has a side over {there:,}")


def _numbers(value: Any) -> list[int]:
    """Return the whole numbers that a key says: one, or one for each layer."""
    values = value if isinstance(value, list) else [value]
    return [v for v in values if isinstance(v, int) and not isinstance(v, bool)]


def _wrong(path: str, key: str, number: int, what: str) -> LibraryError:
    name = f"{path}.{key}".lstrip(".")
    digits = f"{number:,}" if abs(number) < 10**15 else "so large"
    return LibraryError(f"{name} of {CONFIG} cannot be {digits}: {what}")
