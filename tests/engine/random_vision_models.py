"""Small vision models with random weights, in the shapes of several architectures."""

from __future__ import annotations

import importlib
from typing import Any, NamedTuple

import mlx.core as mx
import numpy as np

VOCABULARY = 128
IMAGE, VIDEO, VISION_START = 120, 121, 122

_TEXT: dict[str, Any] = {
    "hidden_size": 64,
    "num_hidden_layers": 3,
    "intermediate_size": 96,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "rms_norm_eps": 1e-5,
    "vocab_size": VOCABULARY,
    "rope_theta": 10000.0,
    "max_position_embeddings": 1024,
    "tie_word_embeddings": True,
}
_MROPE = {"type": "mrope", "mrope_section": [2, 3, 3]}
_MARKS: dict[str, Any] = {
    "image_token_id": IMAGE,
    "image_token_index": IMAGE,
    "video_token_id": VIDEO,
    "vision_start_token_id": VISION_START,
    "vocab_size": VOCABULARY,
}
_QWEN_VISION: dict[str, Any] = {
    "depth": 2,
    "hidden_size": 64,
    "out_hidden_size": 64,
    "intermediate_size": 96,
    "embed_dim": 32,
    "num_heads": 2,
    "mlp_ratio": 2,
    "patch_size": 4,
    "spatial_patch_size": 4,
    "spatial_merge_size": 2,
    "temporal_patch_size": 2,
    "window_size": 16,
    "fullatt_block_indexes": [1],
    "num_position_embeddings": 64,
    "deepstack_visual_indexes": [0, 1],
}
_SQUARES: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "intermediate_size": 64,
    "num_attention_heads": 2,
    "patch_size": 4,
    "image_size": 16,
    "head_dim": 16,
}
# Per architecture: of the whole, of the text part, of the vision part.
_CONFIGS: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "qwen2_vl": ({}, {"rope_scaling": _MROPE}, _QWEN_VISION),
    "qwen2_5_vl": ({}, {"rope_scaling": _MROPE}, _QWEN_VISION),
    "qwen3_vl": ({}, {"rope_scaling": _MROPE}, _QWEN_VISION),
    "qwen3_vl_moe": (
        {},
        {
            "rope_scaling": _MROPE,
            "num_experts": 4,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": 32,
            "decoder_sparse_step": 1,
            "mlp_only_layers": [],
        },
        _QWEN_VISION,
    ),
    "gemma3": (
        {"hidden_size": 64, "pad_token_id": 0},
        {
            "mm_tokens_per_image": 4,
            "sliding_window": 24,
            "sliding_window_pattern": 2,
            "query_pre_attn_scalar": 16,
        },
        {**_SQUARES, "model_type": "siglip_vision_model"},
    ),
    "llava": (
        {"vision_feature_layer": -2},
        {"model_type": "llama"},
        {**_SQUARES, "model_type": "clip_vision_model"},
    ),
    "idefics3": ({"scale_factor": 2}, {"model_type": "llama"}, _SQUARES),
    "smolvlm": (
        {"scale_factor": 2},
        {"model_type": "llama"},
        {**_SQUARES, "model_type": "smolvlm_vision"},
    ),
    "pixtral": ({}, {"model_type": "mistral"}, {**_SQUARES, "model_type": "pixtral"}),
    "mistral3": (
        {"spatial_merge_size": 2},
        {"model_type": "mistral"},
        {**_SQUARES, "model_type": "pixtral"},
    ),
}
# Those whose images are encoded one by one, and two of the others.
APART = tuple(_CONFIGS)
_CONFIGS |= {
    "glm4v": (
        {},
        {
            "rope_scaling": {"rope_type": "default", "mrope_section": [2, 3, 3]},
            "partial_rotary_factor": 1.0,
            "eos_token_id": [1],
        },
        {**_QWEN_VISION, "image_size": 32},
    ),
    "mllama": (
        {},
        {"cross_attention_layers": [1]},
        {
            **_SQUARES,
            "num_global_layers": 1,
            "vision_output_dim": 64,
            "intermediate_layers_indices": [0],
            "max_num_tiles": 4,
        },
    ),
}
TOGETHER = ("glm4v", "mllama")
GRIDS = ("qwen2_vl", "qwen2_5_vl", "qwen3_vl", "qwen3_vl_moe", "glm4v")


class MadeImage(NamedTuple):
    """What a processor would make of an image, and how many tokens stand for it."""

    inputs: dict[str, Any]
    tokens: int


def config_of(architecture: str) -> dict[str, Any]:
    """Return what the `config.json` of such a model would say."""
    whole, text, vision = _CONFIGS[architecture]
    text = {"model_type": architecture, **_TEXT, **text}
    vision = {"model_type": architecture, **vision}
    return {
        **(text if architecture in GRIDS else {}),
        **_MARKS,
        **whole,
        "model_type": architecture,
        "text_config": text,
        "vision_config": vision,
    }


def random_vision_model(architecture: str) -> Any:
    """Return a model of this architecture, the same one each time."""
    module = importlib.import_module(f"mlx_vlm.models.{architecture}")
    config = config_of(architecture)
    made = module.ModelConfig.from_dict(config)
    for name, kind in (("text", module.TextConfig), ("vision", module.VisionConfig)):
        part = config[f"{name}_config"]
        setattr(made, f"{name}_config", kind.from_dict(part))
    mx.random.seed(7)
    model = module.Model(made)
    # Larger than they are made: what an image says must reach the logits.
    model.apply(_enlarged)
    mx.eval(model.parameters())
    return model


def _enlarged(weight: mx.array) -> mx.array:
    if weight.size == 1:  # A gate, closed as it is made.
        return mx.ones_like(weight)
    if weight.ndim < 2:
        return weight
    if (weight == 1).all():  # Not drawn at all, as gemma3's projection.
        return mx.random.normal(weight.shape)
    return weight * 2


def random_image(architecture: str, seed: int, *, sides: tuple[int, int]) -> MadeImage:
    """Return an image of so many tokens high and wide, where the model lets one choose."""
    random = np.random.default_rng(seed)
    high, wide = sides
    if architecture in GRIDS:
        grid = np.array([[1, 2 * high, 2 * wide]])
        pixels = random.normal(size=(4 * high * wide, 3 * 2 * 4 * 4))
        inputs = {"pixel_values": pixels.astype(np.float32), "image_grid_thw": grid}
        return MadeImage(inputs, high * wide)
    if architecture == "mllama":
        # Its texts have one token for a picture, and see it in layers of their own.
        pixels = random.normal(size=(1, 1, 4, 3, 16, 16))
        return MadeImage(
            {
                "pixel_values": pixels.astype(np.float32),
                "aspect_ratio_ids": np.array([[1]]),
                "aspect_ratio_mask": np.ones((1, 1, 4), dtype=np.int32),
            },
            1,
        )
    pixels = random.normal(size=(1, 3, 16, 16)).astype(np.float32)
    if architecture in ("idefics3", "smolvlm"):
        return MadeImage({"pixel_values": pixels[None]}, 4)
    if architecture == "llava":
        # Its first position is the picture's class, and not read.
        return MadeImage({"pixel_values": pixels}, 16)
    sizes = {"image_sizes": np.array([[16, 16]])}
    tokens = {"gemma3": 4, "pixtral": 16, "mistral3": 4}[architecture]
    return MadeImage({"pixel_values": pixels, **sizes}, tokens)


def together(images: list[MadeImage]) -> dict[str, Any]:
    """Return the inputs of several images as a processor gives them for one prompt."""
    axis = 1 if images[0].inputs["pixel_values"].ndim == 5 else 0
    return {
        name: np.concatenate(
            [image.inputs[name] for image in images],
            axis=axis if name == "pixel_values" else 0,
        )
        for name in images[0].inputs
    }
