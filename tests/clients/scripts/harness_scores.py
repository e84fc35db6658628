"""lm-evaluation-harness: two tasks of local files, by a server or by mlx-lm itself.

Says of each item of the one how likely each choice was, and of the other the answer.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path

# mlx-lm is the project's, and what the harness has itself comes first.
sys.path.append(os.environ["PROJECT_PACKAGES"])

import lm_eval
from lm_eval.tasks import TaskManager

HERE = Path(os.environ["TASKS"])
CAPITALS = [
    ("The capital of France is", ["Paris", "Rome", "a river"], 0),
    ("The sun rises in the", ["west", "east", "winter"], 1),
    ("Two and two make", ["nine", "five", "four"], 2),
    ("Water freezes to", ["ice", "steam", "a long stone"], 0),
]
CHOICES = """\
task: local_choices
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{text}}}}"
doc_to_choice: choices
doc_to_target: gold
metric_list: [{{metric: acc}}]
"""
ANSWERS = """\
task: local_answers
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: generate_until
doc_to_text: "Go on: {{{{text}}}}"
doc_to_target: "{{{{choices[gold]}}}}"
generation_kwargs: {{until: ["\\n"], max_gen_toks: 12, do_sample: false, temperature: 0}}
metric_list: [{{metric: exact_match}}]
"""


def main() -> None:
    """Write the tasks, evaluate one of them, and tell of each item."""
    data = HERE / "items.jsonl"
    lines = [{"text": t, "choices": c, "gold": g} for t, c, g in CAPITALS]
    data.write_text("".join(json.dumps(line) + "\n" for line in lines))
    (HERE / "choices.yaml").write_text(CHOICES.format(data=data))
    (HERE / "answers.yaml").write_text(ANSWERS.format(data=data))
    by, task = os.environ["BY"], os.environ["TASK"]
    is_chat = task == "local_answers"
    path, server = os.environ["MODEL_PATH"], os.environ["SERVER"]
    if by == "mlx-lm":
        model = importlib.import_module("mlx_lm.evaluate").MLXLM(
            path, use_chat_template=is_chat
        )
        arguments = {"model": model}
    else:
        address = "/v1/chat/completions" if is_chat else "/v1/completions"
        arguments = {
            "model": "local-chat-completions" if is_chat else "local-completions",
            "model_args": {
                "model": Path(path).name,
                "base_url": server + address,
                "tokenizer_backend": None if is_chat else "huggingface",
                "tokenizer": path,
                "num_concurrent": 1,
                "max_retries": 1,
            },
        }
    found = lm_eval.simple_evaluate(
        **arguments,
        tasks=[task],
        task_manager=TaskManager(include_path=str(HERE), include_defaults=False),
        apply_chat_template=is_chat,
        bootstrap_iters=0,
        log_samples=True,
    )
    samples = sorted(found["samples"][task], key=lambda sample: sample["doc_id"])
    metric = "exact_match" if is_chat else "acc"
    items = [
        sample["resps"][0][0] if is_chat else [each[0] for each in sample["resps"]]
        for sample in samples
    ]
    print(
        json.dumps({"score": found["results"][task][f"{metric},none"], "items": items})
    )


main()
