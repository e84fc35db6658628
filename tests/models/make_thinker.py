"""Writes a model that thinks and calls in Qwen's format, with random weights.

usage: python -m tests.models.make_thinker TOKENIZER_DIR OUT

Its tokenizer has a token for each marker, and its template opens the thinking
unless `enable_thinking` is false.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.models.random_llama import write_random_llama

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
    eos = json.loads((source / "config.json").read_text())["eos_token_id"]
    write_random_llama(
        target,
        # It neither stops nor uses a marker of its own accord.
        mute=[eos, *range(vocabulary - len(MARKERS), vocabulary)],
        vocab_size=vocabulary,
        max_position_embeddings=8192,
        eos_token_id=eos,
    )


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


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
