"""What all imported architectures share: sizes, layers, and a place for each tensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inference.engine.gguf.header import GGUFError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from inference.engine.gguf.metadata import Metadata

MAX_LAYERS = 1000
COMMON_KEYS = frozenset(
    {
        "attention.head_count",
        "attention.head_count_kv",
        "attention.key_length",
        "attention.layer_norm_rms_epsilon",
        "attention.value_length",
        "block_count",
        "context_length",
        "embedding_length",
        "feed_forward_length",
        "rope.dimension_count",
        "rope.freq_base",
        "tensor_data_layout",
        "vocab_size",
    }
)
# Keys that say nothing where they are zero: a model without experts.
IDLE_AT_ZERO = ("expert_count", "expert_used_count")


@dataclass(frozen=True, slots=True)
class TensorPlace:
    """What is expected of a tensor, and what becomes of it.

    `heads`: its rows are interleaved per head; `offset` was added to its values.
    """

    name: str
    shape: tuple[int, ...]
    heads: int = 0
    offset: float = 0.0
    is_optional: bool = False


@dataclass(frozen=True, slots=True)
class Blueprint:
    """One model: its config, and a place for each of its tensors by GGUF's name.

    `half` is the 16-bit type in which its activations stay in range.
    """

    config: dict[str, Any]
    places: dict[str, TensorPlace]
    half: str = "float16"


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large a decoder is; all checked to fit each other."""

    hidden: int
    layers: int
    feed_forward: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    context_length: int

    @classmethod
    def read(cls, metadata: Metadata, prefix: str) -> Sizes:
        """Read them from the keys under `prefix`.

        Raises:
            GGUFError: one is missing, or they contradict each other.
        """
        heads = metadata.whole(f"{prefix}.attention.head_count")
        hidden = metadata.whole(f"{prefix}.embedding_length")
        sizes = cls(
            hidden=hidden,
            layers=metadata.whole(f"{prefix}.block_count", most=MAX_LAYERS),
            feed_forward=metadata.whole(f"{prefix}.feed_forward_length"),
            heads=heads,
            kv_heads=metadata.whole(f"{prefix}.attention.head_count_kv", heads),
            head_dim=metadata.whole(
                f"{prefix}.attention.key_length", max(1, hidden // heads)
            ),
            vocabulary=len(metadata.texts("tokenizer.ggml.tokens")),
            context_length=metadata.whole(f"{prefix}.context_length"),
        )
        sizes.check(metadata, prefix)
        return sizes

    def check(self, metadata: Metadata, prefix: str) -> None:
        """Refuse sizes that contradict each other or ask for parts of a head."""
        if f"{prefix}.attention.key_length" not in metadata:
            _refuse_unless(
                self.hidden % self.heads == 0,
                f"{self.hidden} values are no whole number of {self.heads} heads",
            )
        _refuse_unless(
            self.heads % self.kv_heads == 0,
            f"{self.heads} heads cannot share {self.kv_heads} key and value heads",
        )
        _refuse_unless(self.head_dim % 2 == 0, f"heads of {self.head_dim} values")
        for key, expected in (
            ("attention.value_length", self.head_dim),
            ("rope.dimension_count", self.head_dim),
            ("vocab_size", self.vocabulary),
        ):
            found = metadata.whole(f"{prefix}.{key}", expected)
            _refuse_unless(
                found == expected, f"{prefix}.{key} is {found}, not {expected}"
            )


def refuse_unknown_keys(
    metadata: Metadata, prefix: str, extra: Collection[str] = ()
) -> None:
    """Refuse a key that could change what the model computes, by its name.

    Raises:
        GGUFError: the first such key.
    """
    known = {f"{prefix}.{key}" for key in (*COMMON_KEYS, *extra)}
    for key in metadata.keys_under(f"{prefix}."):
        if key in known:
            continue
        is_idle = key.removeprefix(f"{prefix}.") in IDLE_AT_ZERO
        if not (is_idle and metadata.whole(key, least=0) == 0):
            raise GGUFError(f"{key} is not imported")


def base_config(metadata: Metadata, prefix: str, sizes: Sizes) -> dict[str, Any]:
    """Return what every decoder's config says."""
    return {
        "hidden_size": sizes.hidden,
        "num_hidden_layers": sizes.layers,
        "intermediate_size": sizes.feed_forward,
        "num_attention_heads": sizes.heads,
        "num_key_value_heads": sizes.kv_heads,
        "head_dim": sizes.head_dim,
        "rms_norm_eps": metadata.number(f"{prefix}.attention.layer_norm_rms_epsilon"),
        "rope_theta": metadata.number(f"{prefix}.rope.freq_base", 10_000.0),
        "max_position_embeddings": sizes.context_length,
        "vocab_size": sizes.vocabulary,
    }


def decoder_places(
    sizes: Sizes, norms: Mapping[str, str], *, is_interleaved: bool, offset: float = 0
) -> dict[str, TensorPlace]:
    """Return the places of a decoder without biases and without an output matrix.

    `norms` maps the names of a layer's norms over the hidden size; `offset` was
    added to all norms. `is_interleaved`: queries and keys have their rows in the
    order of llama.cpp's rotary embedding.
    """
    queries, keys = sizes.heads * sizes.head_dim, sizes.kv_heads * sizes.head_dim
    hidden, feed = sizes.hidden, sizes.feed_forward
    q_heads, k_heads = (sizes.heads, sizes.kv_heads) if is_interleaved else (0, 0)
    places = {
        "token_embd.weight": TensorPlace(
            "model.embed_tokens.weight", (sizes.vocabulary, hidden)
        ),
        "output_norm.weight": TensorPlace(
            "model.norm.weight", (hidden,), offset=offset
        ),
    }
    for layer in range(sizes.layers):
        found = {
            "attn_q": TensorPlace("self_attn.q_proj", (queries, hidden), q_heads),
            "attn_k": TensorPlace("self_attn.k_proj", (keys, hidden), k_heads),
            "attn_v": TensorPlace("self_attn.v_proj", (keys, hidden)),
            "attn_output": TensorPlace("self_attn.o_proj", (hidden, queries)),
            "ffn_gate": TensorPlace("mlp.gate_proj", (feed, hidden)),
            "ffn_up": TensorPlace("mlp.up_proj", (feed, hidden)),
            "ffn_down": TensorPlace("mlp.down_proj", (hidden, feed)),
            **{
                name: TensorPlace(mlx_name, (hidden,), offset=offset)
                for name, mlx_name in norms.items()
            },
        }
        places |= in_layer(layer, found)
    return places


def in_layer(
    layer: int, places: Mapping[str, TensorPlace], part: str = "weight"
) -> dict[str, TensorPlace]:
    """Return `places`, named without layer and part, with their full names."""
    return {
        f"blk.{layer}.{name}.{part}": TensorPlace(
            f"model.layers.{layer}.{place.name}.{part}",
            place.shape,
            place.heads,
            place.offset,
        )
        for name, place in places.items()
    }


def output_place(sizes: Sizes) -> dict[str, TensorPlace]:
    """Return the place of an output matrix, which tied embeddings do without."""
    shape = (sizes.vocabulary, sizes.hidden)
    return {"output.weight": TensorPlace("lm_head.weight", shape, is_optional=True)}


def _refuse_unless(is_right: bool, message: str) -> None:
    if not is_right:
        raise GGUFError(message)
