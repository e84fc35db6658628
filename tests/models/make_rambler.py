"""Writes a model that never stops by itself: random weights, a mute end token.

usage: make_rambler.py TOKENIZER_DIR OUT

The tests need answers that last until they are told to end, at any temperature. The
first hidden dimension is therefore the same for every token, no layer writes to it, and
the end-of-sequence row of the tied embedding is far on its other side: the logit of the
end is some hundreds below every other one.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import mlx.core as mx
from mlx.utils import tree_flatten
from mlx_lm.models import llama

CONTEXT = 131_072
# Times the final norm's share of the first dimension, the end's logit.
MUTE = -1000.0


def main(source: Path, target: Path) -> None:
    """Write the model."""
    config = json.loads((source / "config.json").read_text())
    eos = config["eos_token_id"]
    shape = {
        "model_type": "llama",
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "intermediate_size": 128,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "rms_norm_eps": 1e-5,
        "vocab_size": config["vocab_size"],
        "rope_theta": 10000.0,
        "max_position_embeddings": CONTEXT,
        "tie_word_embeddings": True,
        "bos_token_id": config["bos_token_id"],
        "eos_token_id": eos,
        "torch_dtype": "float32",
    }
    mx.random.seed(0)
    model = llama.Model(llama.ModelArgs.from_dict(shape))
    weights = {
        name: array if array.ndim == 1 else mx.random.normal(array.shape) * 0.2
        for name, array in tree_flatten(model.parameters())
    }
    for layer in range(shape["num_hidden_layers"]):
        for last in ("self_attn.o_proj", "mlp.down_proj"):
            weights[f"model.layers.{layer}.{last}.weight"][0] = 0.0
    rows = weights["model.embed_tokens.weight"]
    rows[:, 0] = 1.0
    rows[eos] = 0.0
    rows[eos, 0] = MUTE
    target.mkdir(parents=True, exist_ok=True)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(source / name, target / name)
    mx.save_safetensors(
        str(target / "model.safetensors"), weights, metadata={"format": "mlx"}
    )
    (target / "config.json").write_text(json.dumps(shape))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
