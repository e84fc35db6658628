"""Loading a draft model: what is refused, what is noted, what is known."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from inference.core.requests import SamplingSpec
from inference.engine.loading.text_model import ModelFilesError, TextModel
from inference.engine.row_caches.maker import CacheMaker, cache_maker_for
from inference.engine.speculation.choice import speculation_for
from inference.engine.speculation.draft_model import DraftError, DraftModel, load_draft
from inference.engine.speculation.lookup import PromptLookup
from tests.engine.drafts import with_draft
from tests.engine.driving import alone
from tests.engine.random_models import random_model
from tests.models.make_drafts import make_draft

if TYPE_CHECKING:
    from pathlib import Path

SAMPLED = SamplingSpec(temperature=1.2, seed=5, max_tokens=60)


def rewritten(source: Path, target: Path, name: str, **changes: Any) -> Path:
    """Copy a model and change its config or another JSON file of it."""
    make_draft(source, target, "noise", 0.0)
    content = json.loads((target / name).read_text())
    (target / name).write_text(json.dumps(content | changes))
    return target


def test_it_refuses_a_draft_with_another_tokenizer(
    text: TextModel, tiny_model_dir: Path, tmp_path: Path
) -> None:
    tokenizer = json.loads((tiny_model_dir / "tokenizer.json").read_text())
    vocabulary = tokenizer["model"]["vocab"]
    first, second = sorted(vocabulary, key=vocabulary.get)[300:302]
    vocabulary[first], vocabulary[second] = vocabulary[second], vocabulary[first]
    draft = rewritten(
        tiny_model_dir, tmp_path / "draft", "tokenizer.json", model=tokenizer["model"]
    )
    with pytest.raises(DraftError, match=r"other tokens.*first that differs is 300"):
        load_draft(draft, text)


def test_it_refuses_a_draft_with_a_smaller_vocabulary(
    text: TextModel, tiny_model_dir: Path, tmp_path: Path
) -> None:
    draft = make_draft(tiny_model_dir, tmp_path / "draft", "vocabulary", 650)
    with pytest.raises(DraftError, match="650 entries, the model's 704"):
        load_draft(draft, text)


def test_it_takes_a_draft_whose_vocabulary_is_only_padded_further(
    text: TextModel, tiny_model_dir: Path, tmp_path: Path
) -> None:
    folder = make_draft(tiny_model_dir, tmp_path / "draft", "vocabulary", 768)
    draft = load_draft(folder, text)
    assert (draft.vocabulary, draft.proposable) == (768, 704)
    said, machine = with_draft(text, draft, SAMPLED, 0)
    assert said[0] == alone(text, 0, SAMPLED)
    assert machine.draft


def test_it_refuses_a_folder_without_a_model(text: TextModel, tmp_path: Path) -> None:
    with pytest.raises(DraftError, match="there is no model in"):
        load_draft(tmp_path / "nothing", text)


def test_it_never_runs_the_code_of_a_draft(
    text: TextModel, tiny_model_dir: Path, tmp_path: Path
) -> None:
    draft = rewritten(
        tiny_model_dir, tmp_path / "draft", "config.json", model_file="evil.py"
    )
    with pytest.raises(ModelFilesError, match="model_file"):
        load_draft(draft, text)


@pytest.mark.parametrize(
    ("architecture", "named"),
    [("mamba2", "ArraysCache"), ("qwen3_next", "ArraysCache")],
)
def test_it_names_what_cannot_take_tokens_back(
    text: TextModel, tiny_model_dir: Path, architecture: str, named: str
) -> None:
    recurrent = replace(text, caches=CacheMaker(random_model(architecture)))
    draft = load_draft(tiny_model_dir, recurrent)
    assert draft.model is None
    assert draft.notes == (
        f"draft_path is not possible: a {named} cannot take tokens back.",
    )


def test_it_serves_without_a_draft_that_cannot_be_used(text: TextModel) -> None:
    unusable = DraftModel(None, notes=("draft_path is not …",))
    assert isinstance(speculation_for(text, unusable), PromptLookup)


def test_it_says_where_a_sliding_window_ends_the_use_of_a_draft(
    text: TextModel, tiny_model_dir: Path
) -> None:
    windowed = replace(text, caches=CacheMaker(random_model("gemma3_text")))
    draft = load_draft(tiny_model_dir, windowed)
    assert draft.reach == 16
    assert "window of 16 tokens" in draft.notes[0]


def test_it_says_that_quantized_keys_may_tip_an_answer(
    text: TextModel, tiny_model_dir: Path
) -> None:
    caches = cache_maker_for(random_model("llama"), kv_bits=8)
    draft = load_draft(tiny_model_dir, replace(text, caches=caches))
    assert draft.model is not None
    assert draft.notes[0].startswith("draft_path with kv_bits: ")


def test_it_knows_what_a_draft_takes(
    text: TextModel, drafts: dict[str, DraftModel]
) -> None:
    draft = drafts["always"]
    assert draft.weight_bytes == text.weight_bytes
    assert draft.kv_cost == text.kv_cost
    assert (draft.reach, draft.notes) == (text.context_length, ())
    assert sys.maxsize > draft.reach
