"""A bare encoder over the batches that the server would make: `… MODEL_FOLDER`.

For `tests.bench.embeddings`. A line of JSON with texts comes in, a line with tokens,
seconds and CPU seconds goes out; tokenizing and the choice of batches are not in the seconds.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import mlx.core as mx

from inference.core.models import ModelOptions
from inference.core.requests import TextPrompt
from inference.engine.encoder.batches import EncodeBatch, EncodeJob, JobQueue
from inference.engine.encoder.engine import PASS_S
from inference.engine.encoder.model import EncoderModel, load_encoder
from inference.engine.encoder.queue import EncodeQueue
from inference.engine.hardware.device import is_cpu
from inference.engine.prefill.groups import PrefillPace

if TYPE_CHECKING:
    from inference.engine.encoder.inputs import TokenisedInput


def learn(encoder: EncoderModel, inputs: list[TokenisedInput]) -> int:
    """Return how many tokens a pass of the server's would have."""
    pace = PrefillPace(tokens_per_s=2000.0 if is_cpu() else 20_000.0)
    told: list[object] = []
    queue = EncodeQueue(encoder, pace=pace, tell=told.append)
    queue.append(EncodeJob(0, inputs))
    while not told:
        queue.advance(target_s=PASS_S)
    return pace.tokens_in(PASS_S)


def batches_of(inputs: list[TokenisedInput], tokens: int) -> list[EncodeBatch]:
    """Return all batches, in their order."""
    queue = JobQueue()
    queue.append(EncodeJob(0, inputs))
    found = []
    while (batch := queue.take(tokens)) is not None:
        found.append(batch)
    return found


def main() -> None:
    """Measure what comes in until nothing does."""
    encoder = load_encoder(Path(sys.argv[1]), ModelOptions())
    tokens = 0
    for line in sys.stdin:
        prompts = [TextPrompt(text) for text in json.loads(line)]
        inputs, _ = encoder.reader.read(prompts, None)
        tokens = tokens or learn(encoder, inputs)
        given = [
            (mx.array(each.tokens(padding=0)), mx.array(each.is_token()))
            for each in batches_of(inputs, tokens)
        ]
        mx.eval(given)
        began, used = time.perf_counter(), time.process_time()
        for ids, mask in given:
            mx.eval(encoder.model(ids, attention_mask=mask).text_embeds)
        figures = {
            "tokens": sum(len(each.tokens) for each in inputs),
            "seconds": time.perf_counter() - began,
            "cpu_s": time.process_time() - used,
            "passes": len(given),
        }
        sys.stdout.write(json.dumps(figures) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
