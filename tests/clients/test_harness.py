"""lm-evaluation-harness scores the server as mlx-lm's own evaluation does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlx_lm
import pytest

from tests.clients.environments import PythonEnvironment

if TYPE_CHECKING:
    from tests.e2e.servers import Server

HARNESS = PythonEnvironment("lm-eval", ("lm_eval[api]==0.4.13",))


def scores(
    by: str, task: str, server: Server, model: Path, folder: Path
) -> dict[str, Any]:
    told: dict[str, Any] = HARNESS.run(
        "harness_scores.py",
        BY=by,
        TASK=task,
        TASKS=str(folder),
        SERVER=server.base_url,
        MODEL_PATH=str(model),
        PROJECT_PACKAGES=str(Path(mlx_lm.__file__).parent.parent),
        HF_HUB_OFFLINE="1",
        HF_DATASETS_OFFLINE="1",
        HF_HOME=str(folder / "hub"),
    )
    return told


def test_the_choices_of_completions_are_as_likely_as_mlx_lm_says(
    smollm2_server: Server, smollm2_dir: Path, tmp_path: Path
) -> None:
    asked = ("local_choices", smollm2_server, smollm2_dir, tmp_path)
    ours, theirs = scores("server", *asked), scores("mlx-lm", *asked)
    assert ours["score"] == theirs["score"]
    for mine, own in zip(ours["items"], theirs["items"], strict=True):
        for (likely, greedy), (own_likely, own_greedy) in zip(mine, own, strict=True):
            assert float(likely) == pytest.approx(float(own_likely), abs=1e-3)
            assert str(greedy) == str(own_greedy)


def test_the_answers_of_chat_are_those_of_mlx_lm(
    smollm2_server: Server, smollm2_dir: Path, tmp_path: Path
) -> None:
    asked = ("local_answers", smollm2_server, smollm2_dir, tmp_path)
    ours, theirs = scores("server", *asked), scores("mlx-lm", *asked)
    assert ours == theirs
