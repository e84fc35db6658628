"""Writes a model that thinks and calls in Qwen's format, with random weights.

usage: make_thinker.py TOKENIZER_DIR OUT

Its tokenizer has a token for each marker, and its template opens the thinking
unless `enable_thinking` is false.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import mlx.core as mx
from mlx.utils import tree_flatten
from mlx_lm.models import llama

MARKERS = ("<think>", "</think>", "<tool_call>", "</tool_call>")
TEMPLATE = (
    "{% if tools %}<|im_start|>system\n{% for tool in tools %}{{ tool | tojson }}\n"
    "{% endfor %}<|im_end|>\n{% endif %}"
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{{ message.content }}{% for call in message.tool_calls or [] %}"
    "{% set tool_call = call.function %}<tool_call>\n"
    '{"name": "{{ tool_call.name }}", "arguments": {{ tool_call.arguments | tojson }}}'
    "\n</tool_call>{% endfor %}<|im_end|>\n{% endfor %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and not enable_thinking %}"
    "<think>\n\n</think>\n\n{% else %}<think>\n{% endif %}"
)


def main(source: Path, target: Path) -> None:
    """Write the model."""
    vocabulary = write_tokenizer(source, target)
    _write_weights(source, target, vocabulary=vocabulary)


def write_tokenizer(source: Path, target: Path) -> int:
    """Write its tokenizer alone and return how many tokens that has."""
    target.mkdir(parents=True, exist_ok=True)
    tokenizer = json.loads((source / "tokenizer.json").read_text())
    first = max(token["id"] for token in tokenizer["added_tokens"]) + 1
    for at, marker in enumerate(MARKERS):
        plain = tokenizer["added_tokens"][0] | {"special": False}
        tokenizer["added_tokens"].append(plain | {"id": first + at, "content": marker})
    (target / "tokenizer.json").write_text(json.dumps(tokenizer))
    config = json.loads((source / "tokenizer_config.json").read_text())
    config["chat_template"] = TEMPLATE
    config.pop("added_tokens_decoder", None)
    (target / "tokenizer_config.json").write_text(json.dumps(config))
    return first + len(MARKERS)


def _write_weights(source: Path, target: Path, *, vocabulary: int) -> None:
    config = json.loads((source / "config.json").read_text())
    shape = {
        "model_type": "llama",
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "intermediate_size": 128,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "rms_norm_eps": 1e-5,
        "vocab_size": vocabulary,
        "rope_theta": 10000.0,
        "max_position_embeddings": 8192,
        "tie_word_embeddings": True,
        "eos_token_id": config["eos_token_id"],
        "torch_dtype": "float32",
    }
    mx.random.seed(0)
    model = llama.Model(llama.ModelArgs.from_dict(shape))
    weights = {
        name: array if array.ndim == 1 else mx.random.normal(array.shape) * 0.2
        for name, array in tree_flatten(model.parameters())
    }
    # It neither stops nor uses a marker of its own accord.
    weights["model.embed_tokens.weight"][config["eos_token_id"]] = 0.0
    weights["model.embed_tokens.weight"][vocabulary - len(MARKERS) :] = 0.0
    mx.save_safetensors(
        str(target / "model.safetensors"), weights, metadata={"format": "mlx"}
    )
    (target / "config.json").write_text(json.dumps(shape))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
