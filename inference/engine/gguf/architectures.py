"""The architectures that are imported, and whether a file holds what one needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.engine.gguf.gemma import gemma, gemma2, gemma3
from inference.engine.gguf.header import PLAIN, GGUFError
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
from inference.engine.gguf.rope import FACTORS, SCALING_KEYS, scaling_from_keys

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inference.engine.gguf.header import Tensor
    from inference.engine.gguf.metadata import Metadata

NORMS = {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"}


def llama(metadata: Metadata) -> Blueprint:
    """Return the blueprint of a Llama, Mistral or SmolLM model."""
    refuse_unknown_keys(metadata, "llama", SCALING_KEYS)
    sizes = Sizes.read(metadata, "llama")
    factors = TensorPlace(FACTORS, (sizes.head_dim // 2,), is_optional=True)
    return Blueprint(
        config={
            "model_type": "llama",
            "architectures": ["LlamaForCausalLM"],
            **base_config(metadata, "llama", sizes),
            "rope_scaling": scaling_from_keys(metadata, "llama"),
        },
        places={
            **decoder_places(sizes, NORMS, is_interleaved=True),
            **output_place(sizes),
            FACTORS: factors,
        },
    )


def qwen2(metadata: Metadata) -> Blueprint:
    """Return the blueprint of a Qwen 2 or 2.5 model.

    Its activations too leave the range of float16.
    """
    refuse_unknown_keys(metadata, "qwen2", SCALING_KEYS)
    sizes = Sizes.read(metadata, "qwen2")
    if sizes.heads * sizes.head_dim != sizes.hidden:
        raise GGUFError(f"{sizes.heads} heads of {sizes.head_dim} are no qwen2 model")
    places = decoder_places(sizes, NORMS, is_interleaved=False)
    keys = (sizes.kv_heads * sizes.head_dim,)
    biases = {
        "attn_q": TensorPlace("self_attn.q_proj", (sizes.hidden,)),
        "attn_k": TensorPlace("self_attn.k_proj", keys),
        "attn_v": TensorPlace("self_attn.v_proj", keys),
    }
    for layer in range(sizes.layers):
        places |= in_layer(layer, biases, "bias")
    return Blueprint(
        config={
            "model_type": "qwen2",
            "architectures": ["Qwen2ForCausalLM"],
            **base_config(metadata, "qwen2", sizes),
            "rope_scaling": scaling_from_keys(metadata, "qwen2"),
        },
        places=places | output_place(sizes),
        half="bfloat16",
    )


ARCHITECTURES = {
    "llama": llama,
    "qwen2": qwen2,
    "gemma": gemma,
    "gemma2": gemma2,
    "gemma3": gemma3,
}


def blueprint_of(metadata: Metadata) -> Blueprint:
    """Return what a file should hold.

    Raises:
        GGUFError: another architecture, or one stretched in a way that is not known.
    """
    name = metadata.text("general.architecture")
    if name not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise GGUFError(f"architecture {name} is not imported; {known} are")
    if metadata.whole("split.count", 1, least=0) > 1:
        raise GGUFError("this is one of several parts; join them first")
    return ARCHITECTURES[name](metadata)


def check_tensors(
    tensors: Mapping[str, Tensor], places: Mapping[str, TensorPlace]
) -> None:
    """Hold a file's tensors against the places for them.

    Raises:
        GGUFError: one is missing, surplus, of another shape, or a packed vector.
    """
    for name in tensors:
        if name not in places:
            raise GGUFError(f"tensor {name} has no place in this architecture")
    for name, place in places.items():
        tensor = tensors.get(name)
        if tensor is None:
            if not place.is_optional:
                raise GGUFError(f"tensor {name} is missing")
        elif tensor.shape != place.shape:
            found, expected = (
                " x ".join(map(str, s)) for s in (tensor.shape, place.shape)
            )
            raise GGUFError(f"tensor {name} is {found}; the metadata says {expected}")
        elif len(place.shape) == 1 and tensor.type_name not in PLAIN:
            raise GGUFError(f"tensor {name} is a vector in {tensor.type_name}")
