"""Random models as llama.cpp's converter would write them: GGUF files to compare with.

What it does to a model is done here, and has to be undone by the importer: other
names, rows of queries and keys interleaved (llama), one added to norms (gemma).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import mlx.core as mx
import numpy as np
from mlx.utils import tree_flatten
from mlx_lm.models import gemma, gemma2, gemma3_text, llama, qwen2

from tests.engine.gguf_file import SCALES_AT, GGUFFile, encoded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlx import nn

HIDDEN, LAYERS, FEED, HEADS, KV_HEADS = 64, 2, 96, 4, 2
EPSILON, THETA, CONTEXT = 1e-5, 50_000.0, 128
# Sizes whose rows are whole blocks of 256 values.
WHOLE_BLOCKS = {"hidden_size": 256, "intermediate_size": 256, "head_dim": 64}
MODULES = {"llama": llama, "qwen2": qwen2, "gemma": gemma, "gemma2": gemma2}
MODULES["gemma3"] = gemma3_text
HEAD_DIM = {"llama": 16, "qwen2": 16, "gemma": 32, "gemma2": 32, "gemma3": 32}
# What a family's config says beyond the sizes, and the metadata that stands for it.
EXTRA_ARGS: dict[str, dict[str, Any]] = {
    "gemma2": {
        "attn_logit_softcapping": 5.0,
        "final_logit_softcapping": 3.0,
        "query_pre_attn_scalar": 32.0,
    },
    "gemma3": {
        "query_pre_attn_scalar": 32.0,
        "sliding_window": 4,
        "sliding_window_pattern": 2,
        "rope_local_base_freq": 500.0,
    },
}
EXTRA_KEYS: dict[str, dict[str, Any]] = {
    "gemma2": {
        "attn_logit_softcapping": 5.0,
        "final_logit_softcapping": 3.0,
        "attention.sliding_window": 64,
    },
    "gemma3": {
        "attention.sliding_window": 4,
        "attention.sliding_window_pattern": 2,
        "rope.freq_base_swa": 500.0,
    },
}
NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}
FOUR_NORMS = {
    "post_attention_layernorm": "post_attention_norm",
    "pre_feedforward_layernorm": "ffn_norm",
    "post_feedforward_layernorm": "post_ffw_norm",
}
TOP_NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
}
BYTE_LEVEL_TOKENS = [
    *(chr(code) for code in range(ord("!"), ord("~") + 1)),
    *"ĠĊ",
    "<|endoftext|>",
    "<|im_end|>",
]
SENTENCEPIECE_TOKENS = [
    *("<unk>", "<s>", "</s>"),
    *(f"<0x{byte:02X}>" for byte in range(256)),
    *"▁abcdefgh",
    "▁a",
]


@dataclass(frozen=True, slots=True)
class RandomModel:
    """A model of `architecture`, its file, and what it gives for any tokens."""

    architecture: str
    model: nn.Module
    file: GGUFFile

    def logits(self, tokens: list[int]) -> np.ndarray:
        """Compute with the values that the file's types can hold."""
        return np.array(self.model(mx.array([tokens])))


def random_model(
    architecture: str,
    type_name: str = "F32",
    *,
    tied: bool = True,
    types: Mapping[str, str] | None = None,
    tokenizer: Mapping[str, Any] | None = None,
    **arguments: Any,
) -> RandomModel:
    """Make one; its matrices are what `type_name` leaves of random ones.

    `types` has the tensors of other types, by their names in the file; `tokenizer`
    the metadata of another tokenizer, without `tokenizer.ggml.`.
    """
    if tokenizer is None:
        tokenizer = _sentencepiece() if architecture[:2] == "ge" else _byte_level()
    module = MODULES[architecture]
    sizes = {
        "model_type": module.__name__.rpartition(".")[2],
        "hidden_size": HIDDEN,
        "num_hidden_layers": LAYERS,
        "intermediate_size": FEED,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "head_dim": HEAD_DIM[architecture],
        "rms_norm_eps": EPSILON,
        "rope_theta": THETA,
        "vocab_size": len(tokenizer["tokens"]),
        "tie_word_embeddings": tied,
    }
    arguments = sizes | EXTRA_ARGS.get(architecture, {}) | arguments
    model = module.Model(module.ModelArgs.from_dict(arguments))
    if architecture == "gemma3" and tied:
        model.sanitize({})
    metadata = _metadata(architecture, tokenizer, arguments)
    file = GGUFFile(metadata=metadata, tensors={})
    head_dim = arguments["head_dim"]
    generator = np.random.default_rng(7)
    weights = []
    for name, array in tree_flatten(model.parameters()):
        values = _random(name, array.shape, generator)
        gguf_name = _gguf_name(architecture, name)
        kept = type_name if values.ndim > 1 else "F32"
        kept = (types or {}).get(gguf_name, kept)
        raw, held = encoded(_written(architecture, name, values), kept)
        file.tensors[gguf_name], file.types[gguf_name] = held, kept
        if kept in SCALES_AT:
            file.raw[gguf_name] = raw
        weights.append((name, mx.array(_read(architecture, name, held, head_dim))))
    model.load_weights(weights)
    return RandomModel(architecture, model, file)


def _random(
    name: str, shape: tuple[int, ...], generator: np.random.Generator
) -> np.ndarray:
    spread = 0.5 if name.endswith(".bias") else 0.2
    centre = 1.0 if "norm" in name else 0.0
    values = centre + spread * generator.standard_normal(shape)
    return values.astype(np.float32)


def _written(architecture: str, name: str, values: np.ndarray) -> np.ndarray:
    """Do to a tensor what the converter does."""
    if architecture == "llama" and ("q_proj" in name or "k_proj" in name):
        heads = HEADS if "q_proj" in name else KV_HEADS
        folded = values.reshape(heads, 2, -1, *values.shape[1:])
        return folded.swapaxes(1, 2).reshape(values.shape)
    if architecture.startswith("gemma") and "norm" in name:
        return values + 1
    return values


def _read(architecture: str, name: str, held: np.ndarray, head_dim: int) -> np.ndarray:
    """Undo it, row by row: written for reading, not for speed."""
    if architecture == "llama" and ("q_proj" in name or "k_proj" in name):
        half = head_dim // 2
        rows = range(held.shape[0])
        place = [
            row // (2 * half) * 2 * half + row % half * 2 + row // half % 2
            for row in rows
        ]
        return held[place]
    if architecture.startswith("gemma") and "norm" in name:
        return held - 1
    return held


def _gguf_name(architecture: str, name: str) -> str:
    base, _, part = name.rpartition(".")
    if base in TOP_NAMES:
        return f"{TOP_NAMES[base]}.{part}"
    _, _, layer, inner = base.split(".", 3)
    names = NAMES | (FOUR_NORMS if architecture in {"gemma2", "gemma3"} else {})
    return f"blk.{layer}.{names[inner]}.{part}"


def _metadata(
    architecture: str, tokenizer: Mapping[str, Any], arguments: Mapping[str, Any]
) -> dict[str, Any]:
    sizes = {
        "block_count": arguments["num_hidden_layers"],
        "context_length": CONTEXT,
        "embedding_length": arguments["hidden_size"],
        "feed_forward_length": arguments["intermediate_size"],
        "attention.head_count": HEADS,
        "attention.head_count_kv": KV_HEADS,
        "attention.key_length": arguments["head_dim"],
        "attention.value_length": arguments["head_dim"],
        "attention.layer_norm_rms_epsilon": EPSILON,
        "rope.freq_base": THETA,
        **EXTRA_KEYS.get(architecture, {}),
    }
    return {
        "general.architecture": architecture,
        "general.name": f"Random {architecture}",
        **{f"{architecture}.{key}": value for key, value in sizes.items()},
        **{f"tokenizer.ggml.{key}": value for key, value in tokenizer.items()},
    }


def _byte_level() -> dict[str, Any]:
    tokens = BYTE_LEVEL_TOKENS
    return {
        "model": "gpt2",
        "pre": "qwen2",
        "tokens": tokens,
        "token_type": [1] * (len(tokens) - 2) + [3, 3],
        "merges": [],
        "eos_token_id": len(tokens) - 1,
    }


def _sentencepiece() -> dict[str, Any]:
    tokens = SENTENCEPIECE_TOKENS
    rest = len(tokens) - 3 - 256
    return {
        "model": "llama",
        "pre": "default",
        "tokens": tokens,
        "scores": [0.0] * (len(tokens) - rest) + [-float(n) for n in range(rest)],
        "token_type": [2, 3, 3] + [6] * 256 + [1] * rest,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "unknown_token_id": 0,
        "add_space_prefix": False,
    }
