"""Writes a model with random weights whose template shows a dialect.

usage: python -m tests.models.make_caller TOKENIZER_DIR OUT DIALECT

It never ends of its own accord, and its tokenizer has a token for each mark.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from inference.dialects.registry import DIALECTS
from tests.dialects.dressing import marks_of
from tests.models.random_llama import write_random_llama

# What each dialect is recognised by, for those that tests ask for.
SHOWS = {
    "qwen3-coder": "<function= <parameter=",
    "glm": "<arg_key>",
    "kimi-k3": "<|open|> <|close|> <|sep|>",
    "harmony": "<|channel|> <|message|> <|start|>",
    "lfm2": "<|tool_list_start|>",
    "llama": "ipython",
}
TEMPLATE = (
    "{{# {} #}}{{% if tools %}}{{{{ tools | tojson }}}}{{% endif %}}"
    "{{% for message in messages %}}<|im_start|>{{{{ message.role }}}}\n"
    "{{{{ message.content }}}}<|im_end|>\n{{% endfor %}}<|im_start|>assistant\n"
)


def main(source: Path, target: Path, name: str) -> None:
    """Write the model."""
    dialect = DIALECTS[name]
    assert dialect.form is not None
    said = json.loads((source / "tokenizer.json").read_text())
    eos = json.loads((source / "config.json").read_text())["eos_token_id"]
    added = said["added_tokens"]
    known = {token["content"] for token in added}
    first = max(token["id"] for token in added) + 1
    marks = dict.fromkeys(marks_of(dialect, dialect.form))
    fresh = [mark for mark in marks if mark not in known]
    for at, mark in enumerate(fresh):
        added.append(added[0] | {"id": first + at, "content": mark, "special": False})
    target.mkdir(parents=True, exist_ok=True)
    (target / "tokenizer.json").write_text(json.dumps(said))
    config = json.loads((source / "tokenizer_config.json").read_text())
    config["chat_template"] = TEMPLATE.format(SHOWS[name])
    config.pop("added_tokens_decoder", None)
    (target / "tokenizer_config.json").write_text(json.dumps(config))
    write_random_llama(
        target,
        mute=[eos],
        vocab_size=first + len(fresh),
        max_position_embeddings=8192,
        eos_token_id=eos,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
