"""How each GGUF architecture becomes an MLX model: names, rows and config.json.

A new architecture is one entry in `ARCHITECTURES`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from inference.engines.gguf_header import GGUFError

Metadata = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Architecture:
    """One family of models.

    `layer_names` and `other_names` map tensor names without their last part;
    `permuted` are the layer names whose rows are interleaved for GGUF's rotary
    embedding, with the metadata key that counts their heads.
    """

    layer_names: Mapping[str, str]
    other_names: Mapping[str, str]
    permuted: Mapping[str, str]
    config: Callable[[Metadata], dict[str, Any]]

    def to_mlx_name(self, name: str) -> str:
        """Return the MLX name of the tensor `name`."""
        base, _, part = name.rpartition(".")
        prefix, _, rest = base.partition(".")
        index, _, layer_name = rest.partition(".")
        if prefix == "blk" and index.isdecimal() and layer_name in self.layer_names:
            return f"model.layers.{index}.{self.layer_names[layer_name]}.{part}"
        if base in self.other_names:
            return f"{self.other_names[base]}.{part}"
        raise GGUFError(f"tensor {name} has no place in this architecture")

    def heads_key(self, name: str) -> str | None:
        """Return the metadata key with the head count if `name` is permuted."""
        return self.permuted.get(name.rpartition(".")[0].rpartition(".")[2])


def architecture_of(metadata: Metadata) -> Architecture:
    """Return what to do with a file; refuse what is not known, by its name."""
    name = metadata.get("general.architecture", "none")
    if name not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise GGUFError(f"architecture {name} is not imported; {known} is")
    return ARCHITECTURES[name]


def required(metadata: Metadata, key: str) -> Any:
    """Return the value of `key`, which no model can do without."""
    try:
        return metadata[key]
    except KeyError:
        raise GGUFError(f"the file says nothing of {key}") from None


def _llama_config(metadata: Metadata) -> dict[str, Any]:
    refused = [key for key in metadata if key.startswith("llama.rope.scaling.")]
    refused += [key for key in metadata if key.startswith("llama.expert_")]
    if refused:
        raise GGUFError(f"{refused[0]} is not imported")
    heads = required(metadata, "llama.attention.head_count")
    hidden_size = required(metadata, "llama.embedding_length")
    head_dim = metadata.get("llama.attention.key_length", hidden_size // heads)
    return {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "hidden_size": hidden_size,
        "num_hidden_layers": required(metadata, "llama.block_count"),
        "intermediate_size": required(metadata, "llama.feed_forward_length"),
        "num_attention_heads": heads,
        "num_key_value_heads": metadata.get("llama.attention.head_count_kv", heads),
        "head_dim": head_dim,
        "rms_norm_eps": required(metadata, "llama.attention.layer_norm_rms_epsilon"),
        "rope_theta": metadata.get("llama.rope.freq_base", 10_000.0),
        "max_position_embeddings": required(metadata, "llama.context_length"),
        "vocab_size": len(required(metadata, "tokenizer.ggml.tokens")),
    }


LLAMA = Architecture(
    layer_names={
        "attn_q": "self_attn.q_proj",
        "attn_k": "self_attn.k_proj",
        "attn_v": "self_attn.v_proj",
        "attn_output": "self_attn.o_proj",
        "ffn_gate": "mlp.gate_proj",
        "ffn_up": "mlp.up_proj",
        "ffn_down": "mlp.down_proj",
        "attn_norm": "input_layernorm",
        "ffn_norm": "post_attention_layernorm",
    },
    other_names={
        "token_embd": "model.embed_tokens",
        "output_norm": "model.norm",
        "output": "lm_head",
    },
    permuted={
        "attn_q": "llama.attention.head_count",
        "attn_k": "llama.attention.head_count_kv",
    },
    config=_llama_config,
)

ARCHITECTURES = {"llama": LLAMA}
