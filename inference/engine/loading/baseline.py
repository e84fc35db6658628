"""The yardstick: mlx-lm's own BatchGenerator on the same prompts, without a server.

`python -m inference.engine.loading.baseline MODEL` reads one JSON job a line from
standard input (`prompts`, `streams`, `max_tokens`) and answers each with a line
of `tokens` and `seconds`.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from mlx_lm.generate import BatchGenerator

from inference.engine.loading.text_model import TextModel, load_text_model


def measure(
    text: TextModel, prompts: list[str], *, streams: int, max_tokens: int
) -> dict[str, float]:
    """Generate greedily for all prompts, `streams` at a time; return the counts."""
    tokenizer = text.tokenizer
    rows = [
        list(
            tokenizer.apply_chat_template(
                [{"role": "user", "content": prompt}], add_generation_prompt=True
            )
        )
        for prompt in prompts
    ]
    generator = BatchGenerator(
        text.model,
        max_tokens=max_tokens,
        stop_tokens=[[token] for token in text.eos_ids],
        completion_batch_size=streams,
        prefill_batch_size=min(streams, 8),
    )
    began = time.perf_counter()
    generator.insert(rows)
    tokens = ended = 0
    while ended < len(rows):
        _, responses = generator.next()
        tokens += len(responses)
        ended += sum(response.finish_reason is not None for response in responses)
    seconds = time.perf_counter() - began
    generator.close()
    return {"tokens": tokens, "seconds": seconds}


def main() -> int:
    """Answer jobs until standard input ends."""
    text = load_text_model(Path(sys.argv[1]))
    for line in sys.stdin:
        job = json.loads(line)
        result = measure(
            text,
            job["prompts"],
            streams=job["streams"],
            max_tokens=job["max_tokens"],
        )
        sys.stdout.write(json.dumps(result) + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
