"""Gemma, Gemma 2 and the text part of Gemma 3.

Their norms compute `1 + weight`; llama.cpp's converter adds the one beforehand.
Their activations leave the range of float16, not that of bfloat16.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inference.engine.gguf.header import GGUFError
from inference.engine.gguf.layers import (
    Blueprint,
    Sizes,
    TensorPlace,
    base_config,
    decoder_places,
    in_layer,
    output_place,
    refuse_unknown_keys,
)
from inference.engine.gguf.rope import SCALING_KEYS, scaling_from_keys

if TYPE_CHECKING:
    from inference.engine.gguf.metadata import Metadata

OFFSET = 1.0
HALF = "bfloat16"
FOUR_NORMS = {
    "attn_norm": "input_layernorm",
    "post_attention_norm": "post_attention_layernorm",
    "ffn_norm": "pre_feedforward_layernorm",
    "post_ffw_norm": "post_feedforward_layernorm",
}
# The largest models of Gemma 2 and 3 scale queries by another size than a head's.
# The files do not say so; llama.cpp too knows them by their number of layers.
LARGEST_GEMMA2_LAYERS, LARGEST_GEMMA3_LAYERS = 46, 62
LOCAL_THETA = 10_000.0
GLOBAL_EVERY = 6


def gemma(metadata: Metadata) -> Blueprint:
    """Return the blueprint of a Gemma 1 model."""
    refuse_unknown_keys(metadata, "gemma")
    sizes = Sizes.read(metadata, "gemma")
    norms = {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"}
    return Blueprint(
        config={
            "model_type": "gemma",
            "architectures": ["GemmaForCausalLM"],
            "hidden_act": "gelu_pytorch_tanh",
            **base_config(metadata, "gemma", sizes),
        },
        places=decoder_places(sizes, norms, is_interleaved=False, offset=OFFSET),
        half=HALF,
    )


def gemma2(metadata: Metadata) -> Blueprint:
    """Return the blueprint of a Gemma 2 model."""
    softcaps = ("attn_logit_softcapping", "final_logit_softcapping")
    refuse_unknown_keys(metadata, "gemma2", (*softcaps, "attention.sliding_window"))
    sizes = Sizes.read(metadata, "gemma2")
    attention, final = softcaps
    return Blueprint(
        config={
            "model_type": "gemma2",
            "architectures": ["Gemma2ForCausalLM"],
            "hidden_activation": "gelu_pytorch_tanh",
            **base_config(metadata, "gemma2", sizes),
            "query_pre_attn_scalar": _query_size(sizes, LARGEST_GEMMA2_LAYERS),
            attention: metadata.number(f"gemma2.{attention}", 50.0),
            final: metadata.number(f"gemma2.{final}", 30.0),
            "sliding_window": metadata.whole("gemma2.attention.sliding_window", 4096),
        },
        places=decoder_places(sizes, FOUR_NORMS, is_interleaved=False, offset=OFFSET),
        half=HALF,
    )


def gemma3(metadata: Metadata) -> Blueprint:
    """Return the blueprint of a Gemma 3 model that is given text only."""
    sliding = ("attention.sliding_window", "attention.sliding_window_pattern")
    extra = (*sliding, *SCALING_KEYS, "rope.freq_base_swa")
    refuse_unknown_keys(metadata, "gemma3", extra)
    sizes = Sizes.read(metadata, "gemma3")
    window, pattern = sliding
    global_every = metadata.whole(f"gemma3.{pattern}", GLOBAL_EVERY)
    if sizes.layers < global_every:
        raise GGUFError(f"{sizes.layers} layers are too few for a gemma3 model")
    places = decoder_places(sizes, FOUR_NORMS, is_interleaved=False, offset=OFFSET)
    for layer in range(sizes.layers):
        places |= in_layer(layer, _head_norms(sizes))
    config: dict[str, Any] = {
        "model_type": "gemma3_text",
        "architectures": ["Gemma3ForCausalLM"],
        "hidden_activation": "gelu_pytorch_tanh",
        **base_config(metadata, "gemma3", sizes),
        "rope_theta": metadata.number("gemma3.rope.freq_base"),
        "rope_local_base_freq": metadata.number(
            "gemma3.rope.freq_base_swa", LOCAL_THETA
        ),
        "query_pre_attn_scalar": _query_size(sizes, LARGEST_GEMMA3_LAYERS),
        "sliding_window": metadata.whole(f"gemma3.{window}"),
        "sliding_window_pattern": global_every,
        "rope_scaling": scaling_from_keys(metadata, "gemma3"),
    }
    return Blueprint(config=config, places=places | output_place(sizes), half=HALF)


def _query_size(sizes: Sizes, largest_layers: int) -> int:
    is_largest = sizes.layers == largest_layers
    return sizes.hidden // sizes.heads if is_largest else sizes.head_dim


def _head_norms(sizes: Sizes) -> dict[str, TensorPlace]:
    shape = (sizes.head_dim,)
    return {
        "attn_q_norm": TensorPlace("self_attn.q_norm", shape, offset=OFFSET),
        "attn_k_norm": TensorPlace("self_attn.k_norm", shape, offset=OFFSET),
    }
