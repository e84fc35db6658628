"""Small models with random weights, in the shapes of several architectures."""

from __future__ import annotations

import importlib
from typing import Any

import mlx.core as mx

VOCABULARY = 128

_BASE: dict[str, Any] = {
    "hidden_size": 128,
    "num_hidden_layers": 4,
    "intermediate_size": 128,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "rms_norm_eps": 1e-5,
    "norm_eps": 1e-5,
    "layer_norm_epsilon": 1e-5,
    "vocab_size": VOCABULARY,
    "rope_theta": 10000.0,
    "max_position_embeddings": 1024,
    "tie_word_embeddings": True,
}
_EXPERTS: dict[str, Any] = {
    "num_experts": 4,
    "num_local_experts": 4,
    "num_experts_per_tok": 2,
    "num_experts_per_token": 2,
    "moe_intermediate_size": 32,
    "shared_expert_intermediate_size": 32,
    "norm_topk_prob": True,
}
_LATENT: dict[str, Any] = {
    "q_lora_rank": 32,
    "kv_lora_rank": 32,
    "qk_rope_head_dim": 32,
    "qk_nope_head_dim": 32,
    "v_head_dim": 32,
    "attention_bias": False,
    "rope_scaling": None,
    "moe_intermediate_size": 32,
    "n_routed_experts": None,
}
_GATED_DELTA: dict[str, Any] = {
    **_EXPERTS,
    "linear_num_value_heads": 4,
    "linear_num_key_heads": 2,
    "linear_key_head_dim": 32,
    "linear_value_head_dim": 32,
    "linear_conv_kernel_dim": 4,
    "full_attention_interval": 2,
    "partial_rotary_factor": 0.5,
    "decoder_sparse_step": 1,
    "mlp_only_layers": [],
}
_MAMBA: dict[str, Any] = {
    "num_heads": 4,
    "state_size": 16,
    "n_groups": 1,
    "conv_kernel": 4,
    "use_bias": False,
    "use_conv_bias": True,
    "time_step_rank": 4,
    "time_step_limit": (0.0, 10.0),
}
_SLIDING = ["sliding_attention"]
_FULL = ["full_attention"]

_CONFIGS: dict[str, dict[str, Any]] = {
    "llama": {},
    "smollm3": {"no_rope_layer_interval": 2},
    "gemma2": {},
    "gemma3_text": {"sliding_window": 16, "sliding_window_pattern": 2},
    "gpt_oss": {
        **_EXPERTS,
        "sliding_window": 16,
        "layer_types": (_SLIDING + _FULL) * 2,
        "rope_scaling": None,
    },
    "gpt_bigcode": {
        "n_ctx": 128,
        "n_embd": 128,
        "n_head": 4,
        "n_inner": 256,
        "n_layer": 2,
        "n_positions": 1024,
        "num_key_value_heads": 1,
    },
    "deepseek_v3": _LATENT,
    "deepseek_v41": {
        "num_hidden_layers": 2,
        "qk_rope_head_dim": 16,
        "q_lora_rank": 32,
        "o_lora_rank": 32,
        "o_groups": 2,
        "n_routed_experts": 4,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 32,
        "sliding_window": 16,
        "compress_ratios": (4, 4),
        "kv_source_layer_ids": (0, 1),
        "index_source_layer_ids": (0, 1),
        "index_n_heads": 2,
        "index_head_dim": 32,
        "index_topk": 8,
    },
    "mamba": {**_MAMBA, "intermediate_size": 64},
    "mamba2": _MAMBA,
    "lfm2_moe": {
        **_EXPERTS,
        "use_expert_bias": False,
        "num_dense_layers": 1,
        "conv_bias": False,
        "conv_L_cache": 3,
        "layer_types": ["conv", "full_attention"] * 2,
    },
    "recurrent_gemma": {
        "attention_bias": False,
        "conv1d_width": 4,
        "logits_soft_cap": 30.0,
        "attention_window_size": 64,
        "block_types": ["recurrent", "attention"],
        "num_key_value_heads": 1,
    },
    "qwen3_next": _GATED_DELTA,
    "qwen3_5": {**_GATED_DELTA, "num_experts": 0},
    "qwen3_5_moe": _GATED_DELTA,
    "kimi_linear": {
        **_EXPERTS,
        **_LATENT,
        "linear_attn_config": {
            "kda_layers": [1, 3],
            "full_attn_layers": [2, 4],
            "num_heads": 4,
            "head_dim": 32,
            "short_conv_kernel_size": 4,
        },
        "model_max_length": 1024,
        "num_shared_experts": 1,
    },
    "falcon_h1": {
        "attention_bias": False,
        "attention_in_multiplier": 1.0,
        "attention_out_multiplier": 1.0,
        "embedding_multiplier": 1.0,
        "key_multiplier": 1.0,
        "lm_head_multiplier": 1.0,
        "mamba_chunk_size": 16,
        "mamba_conv_bias": True,
        "mamba_d_conv": 4,
        "mamba_d_head": 32,
        "mamba_d_ssm": 64,
        "mamba_d_state": 16,
        "mamba_expand": 2,
        "mamba_n_groups": 1,
        "mamba_n_heads": 2,
        "mamba_norm_before_gate": False,
        "mamba_proj_bias": False,
        "mamba_rms_norm": False,
        "mamba_use_mlp": True,
        "mlp_bias": False,
        "mlp_expansion_factor": 2,
        "mlp_multipliers": [1.0, 1.0],
        "projectors_bias": False,
        "rope_traditional": False,
        "rope_scaling": None,
        "ssm_in_multiplier": 1.0,
        "ssm_multipliers": [1.0] * 5,
        "ssm_out_multiplier": 1.0,
    },
}


ARCHITECTURES = tuple(_CONFIGS)


def config_of(architecture: str) -> dict[str, Any]:
    """Return what the `config.json` of such a model would say."""
    return {**_BASE, "model_type": architecture, **_CONFIGS[architecture]}


def random_model(architecture: str, **changes: Any) -> Any:
    """Return a model of this architecture, the same one each time."""
    module = importlib.import_module(f"mlx_lm.models.{architecture}")
    config = config_of(architecture) | changes
    mx.random.seed(7)
    model = module.Model(module.ModelArgs.from_dict(config))
    mx.eval(model.parameters())
    return model
