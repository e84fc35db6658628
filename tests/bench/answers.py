"""What structured output and mixed rows cost the batch, beside plain rows.

usage: python -m tests.bench.answers MODEL_DIR [ROUNDS]

Drives the running batch itself, without a server. Rounds alternate, so that a
noisy machine disturbs both sides alike; ratios are told per round.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from inference.core.requests import Grammar, GrammarKind, SamplingSpec, Tool
from inference.engines.batch import DecodeBatch
from inference.engines.followers import RequiredAnswer
from inference.engines.guides import GuidePlan
from inference.engines.prefill import PrefillQueue
from inference.engines.prefill_groups import PrefillPace
from inference.engines.sequences import Sequence
from inference.engines.text import TextModel, load_text_model
from inference.structure.calls import calls_grammar
from inference.structure.grammars import to_llguidance

STEPS = 100
LONG = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 150, "maxLength": 200},
        "tags": {
            "type": "array",
            "items": {"type": "string", "minLength": 20, "maxLength": 30},
            "minItems": 9,
            "maxItems": 10,
        },
    },
    "required": ["name", "tags"],
    "additionalProperties": False,
}
Row = tuple[SamplingSpec, GuidePlan]
FREE = GuidePlan()


def spec(**options: Any) -> SamplingSpec:
    return SamplingSpec(max_tokens=100_000, ignore_eos=True, **options)


def plan_of(text: TextModel, grammar: str) -> GuidePlan:
    return GuidePlan(RequiredAnswer(text.words.matcher_for(grammar, param="bench")))


def mixed_rows(text: TextModel, schema: GuidePlan, call: GuidePlan) -> list[Row]:
    """Return sixteen rows, no two alike."""
    free = [
        spec(temperature=0.0),
        spec(temperature=0.7, seed=1),
        spec(temperature=1.2, top_p=0.9, seed=2),
        spec(temperature=1.0, top_k=20, seed=3),
        spec(temperature=1.0, min_p=0.1, seed=4),
        spec(temperature=0.0, presence_penalty=1.5),
        spec(temperature=0.0, frequency_penalty=1.5),
        spec(temperature=0.0, repetition_penalty=1.3),
        spec(temperature=0.0, logit_bias=((100, 5.0),)),
        spec(temperature=1.0, seed=5),
        spec(temperature=0.0, logprobs=5),
        spec(temperature=1.0, seed=6, logprobs=0),
    ]
    guided = [
        (spec(temperature=t, seed=7), p) for t in (0.0, 1.0) for p in (schema, call)
    ]
    return [(one, FREE) for one in free] + guided


def tokens_per_s(text: TextModel, rows: list[Row]) -> float:
    """Decode a fixed number of steps with these rows."""
    prompt = text.tokenizer.encode("Write about a person. " * 3)
    batch = DecodeBatch(text.model)
    queue = PrefillQueue(
        text.model, is_batchable=True, pace=PrefillPace(tokens_per_s=1e6)
    )
    for number, (one, plan) in enumerate(rows):
        queue.append([Sequence.of(number, prompt, one, guide=plan.open(None))])
    queue.form_groups(len(rows))
    while queue:
        if group := queue.advance(target_s=1.0):
            batch.join(group)
    for _ in range(3):
        batch.step()
    began, tokens = time.perf_counter(), 0
    for _ in range(STEPS):
        tokens += len(batch.step())
    return tokens / (time.perf_counter() - began)


def main(model: Path, rounds: int) -> None:
    """Measure and print both ratios."""
    text = load_text_model(model)
    schema = plan_of(
        text, to_llguidance(Grammar(GrammarKind.JSON_SCHEMA, json.dumps(LONG), "x"))
    )
    call = plan_of(text, calls_grammar([Tool("order", "", LONG)]))
    free = [(spec(temperature=1.0, seed=i), FREE) for i in range(8)]
    held = [(one, schema) for one, _ in free]
    plain = [(spec(temperature=0.0), FREE)] * 16
    mixed = mixed_rows(text, schema, call)
    for name, base, other in (
        ("8 constrained / 8 free", free, held),
        ("16 mixed / 16 greedy", plain, mixed),
    ):
        ratios = [
            tokens_per_s(text, other) / tokens_per_s(text, base) for _ in range(rounds)
        ]
        each = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        sys.stdout.write(f"{name}: median {statistics.median(ratios):.2f} ({each})\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 5)
