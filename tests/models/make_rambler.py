"""Writes a model that never stops by itself: random weights, a mute end token.

usage: python -m tests.models.make_rambler TOKENIZER_DIR OUT
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from tests.models.random_llama import write_random_llama

CONTEXT = 131_072


def main(source: Path, target: Path) -> None:
    """Write the model."""
    config = json.loads((source / "config.json").read_text())
    eos = config["eos_token_id"]
    write_random_llama(
        target,
        mute=[eos],
        vocab_size=config["vocab_size"],
        max_position_embeddings=CONTEXT,
        bos_token_id=config["bos_token_id"],
        eos_token_id=eos,
    )
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(source / name, target / name)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
