"""A small Llama with random weights that never says some of its tokens by itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import mlx.core as mx
from mlx.utils import tree_flatten
from mlx_lm.models import llama

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SHAPE = {
    "model_type": "llama",
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "intermediate_size": 128,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "tie_word_embeddings": False,
    "torch_dtype": "float32",
}
# Times the final norm's share of the first dimension, about a seventh: the logit of a
# token that is mute. All others are within five of zero.
MUTE = -300.0


def write_random_llama(target: Path, *, mute: Iterable[int], **config: Any) -> None:
    """Write weights and configuration.

    Tests need answers that last until they are told to end, at any temperature. The
    first hidden dimension is the same for every token and no layer writes to it, so
    what the head has there is a bias: about -45 for the tokens that are to be mute,
    which a request's bias of 100 outweighs and chance does not.
    """
    shape = SHAPE | config
    mx.random.seed(0)
    model = llama.Model(llama.ModelArgs.from_dict(shape))
    weights = {
        name: array if array.ndim == 1 else mx.random.normal(array.shape) * 0.2
        for name, array in tree_flatten(model.parameters())
    }
    for layer in range(shape["num_hidden_layers"]):
        for last in ("self_attn.o_proj", "mlp.down_proj"):
            weights[f"model.layers.{layer}.{last}.weight"][0] = 0.0
    weights["model.embed_tokens.weight"][:, 0] = 1.0
    head = weights["lm_head.weight"]
    head[:, 0] = 0.0
    for token in mute:
        head[token] = 0.0
        head[token, 0] = MUTE
    target.mkdir(parents=True, exist_ok=True)
    mx.save_safetensors(
        str(target / "model.safetensors"), weights, metadata={"format": "mlx"}
    )
    (target / "config.json").write_text(json.dumps(shape))
