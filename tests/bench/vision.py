"""Mixed requests with and without pictures: the server against mlx-vlm's own batch.

usage: python -m tests.bench.vision [MODEL_DIR] [ROUNDS]

Eight streams, half of the requests with one or two pictures that nobody has seen.
Rounds alternate between mlx-vlm's BatchGenerator without a server, in a process with
a worker's environment, and this server; each sees the same pictures. Every answer
goes on to the same length. Ratios are told per round.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

STREAMS = 8
REQUESTS = 32
MAX_TOKENS = 48
TINY = Path(__file__).resolve().parents[1] / "models" / "tiny-qwen2-vl"


def bare(path: str) -> int:
    """Answer one job a line from standard input: tokens and seconds."""
    from mlx_vlm import load
    from mlx_vlm.generate.ar import BatchGenerator
    from mlx_vlm.utils import prepare_inputs
    from PIL import Image

    from inference.engine.hardware.device import settle_dtype

    model, processor = load(path)
    settle_dtype(model)

    def prompt_of(job: dict[str, Any]) -> tuple[list[int], dict[str, Any]]:
        images = [Image.open(io.BytesIO(base64.b64decode(p))) for p in job["pictures"]]
        parts: list[dict[str, str]] = [{"type": "image"} for _ in images]
        text = processor.apply_chat_template(
            [
                {
                    "role": "user",
                    "content": [*parts, {"type": "text", "text": job["text"]}],
                }
            ],
            tokenize=False,
            add_generation_prompt=True,
        )
        made = dict(prepare_inputs(processor, images=images or None, prompts=text))
        tokens, pixels = made.pop("input_ids"), made.pop("pixel_values", None)
        mask = made.pop("attention_mask", None)
        found = model.get_input_embeddings(tokens, pixels, mask=mask, **made)
        given = {n: v for n, v in found.to_dict().items() if v is not None}
        return tokens[0].tolist(), {**made, **given}

    for line in sys.stdin:
        jobs = json.loads(line)
        began = time.perf_counter()
        generator = BatchGenerator(
            model.language_model,
            processor,
            max_tokens=MAX_TOKENS,
            stop_tokens=set(),
            completion_batch_size=STREAMS,
            prefill_batch_size=STREAMS,
            compute_logprobs=False,
        )
        # All at once: its own queue keeps the streams busy.
        prompts, given = zip(*map(prompt_of, jobs), strict=True)
        generator.insert(list(prompts), prompt_kwargs=list(given))
        tokens = ended = 0
        while ended < len(jobs):
            _, responses = generator.next()
            tokens += len(responses)
            ended += sum(response.finish_reason is not None for response in responses)
        seconds = time.perf_counter() - began
        generator.close()
        say(json.dumps({"tokens": tokens, "seconds": seconds}))
    return 0


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def jobs_of(round_number: int) -> list[dict[str, Any]]:
    """Return requests of which half have pictures, new ones in every round."""
    from tests.pictures import ALL, COLOURS, ONE, encoded, pixels

    names = tuple(COLOURS)
    jobs = []
    for number in range(REQUESTS):
        count = (0, 1, 0, 2)[number % 4]
        seed = 100_000 * (round_number + 1) + 10 * number
        shown = [names[(number + n) % len(names)] for n in range(count)]
        pictures = [
            base64.b64encode(encoded(pixels(name, seed + n))).decode()
            for n, name in enumerate(shown)
        ]
        text = ("Count to twenty.", ONE, ALL)[count]
        jobs.append({"text": text, "pictures": pictures})
    return jobs


def body(job: dict[str, Any]) -> dict[str, Any]:
    """Return a job as a chat request."""
    urls = [f"data:image/png;base64,{picture}" for picture in job["pictures"]]
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    text = {"type": "text", "text": job["text"]}
    return {
        "messages": [{"role": "user", "content": [*parts, text]}],
        "temperature": 0,
        "max_tokens": MAX_TOKENS,
        "ignore_eos": True,
    }


def main(path: Path, rounds: int) -> int:
    """Measure all rounds and print them."""
    import os

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mlxsite.settings")
    from inference.client.load import closed_loop
    from inference.management.commands.bench_engine import serving
    from inference.runtime.environment import worker_environment
    from tests.fast_blas import openblas_for_tests

    command = [sys.executable, "-m", "tests.bench.vision", "--bare", str(path)]
    shares = []
    with (
        serving(path) as base_url,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=worker_environment(openblas_for_tests()),
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        for number in range(-1, rounds):
            jobs = jobs_of(number + 1)
            process.stdin.write(json.dumps(jobs) + "\n")
            process.stdin.flush()
            found = json.loads(process.stdout.readline())
            alone = found["tokens"] / found["seconds"]
            load = closed_loop(base_url, [body(j) for j in jobs], concurrency=STREAMS)
            served = asyncio.run(load)
            assert not served.errors, served.errors[0]
            if number < 0:  # Warms everything up.
                continue
            shares.append(served.tokens_per_s / alone)
            say(
                f"{number + 1:2}  bare {alone:7.1f} tok/s   served "
                f"{served.tokens_per_s:7.1f}   share {shares[-1]:.2f}"
            )
        process.stdin.close()
    say(f"median share {statistics.median(shares):.2f}")
    return 0


if __name__ == "__main__":
    if "--bare" in sys.argv:
        sys.exit(bare(sys.argv[-1]))
    place = Path(sys.argv[1]) if len(sys.argv) > 1 else TINY
    sys.exit(main(place, int(sys.argv[2]) if len(sys.argv) > 2 else 5))
