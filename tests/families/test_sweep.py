"""No family's template loses a part of a conversation in silence, or refuses all."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from inference.prompting.traits import traits_of
from tests.families.shapes import KEPT, LOST, REFUSED, WRITTEN, Outcome
from tests.families.sweep import dressed, faults, sweep, table
from tests.families.templates import NotFetchedError, templates

if TYPE_CHECKING:
    from pathlib import Path

A_FEW = (
    *("Qwen-Qwen3-0.6B", "Qwen3-Coder", "LFM2-8B-A1B", "Kimi-K2-Instruct"),
    *("Mistral-Small-3.2-24B-Instruct-2506", "meta-llama-Llama-3.1-8B-Instruct"),
    *("openai-gpt-oss-120b", "deepseek-ai-DeepSeek-V3.1", "google-gemma-2-2b-it"),
)


@pytest.fixture(scope="module")
def names() -> list[str]:
    try:
        return list(templates())
    except NotFetchedError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


def test_a_few_families_lose_nothing(names: list[str]) -> None:
    assert set(A_FEW) <= set(names)
    rows = sweep(A_FEW)
    assert faults(rows) == []
    assert rows["Qwen-Qwen3-0.6B"]["thinking"].kind == KEPT
    assert rows["LFM2-8B-A1B"]["calls"].kind == WRITTEN
    assert rows["Kimi-K2-Instruct"]["calls"].kind == KEPT


@pytest.mark.slow
def test_no_family_loses_anything(names: list[str]) -> None:
    rows = sweep()
    assert len(rows) == len(names) > 100
    assert faults(rows) == []


def test_a_load_takes_no_longer_for_what_is_found_out(
    names: list[str], tmp_path: Path
) -> None:
    name = "Kimi-K3"
    family = dressed(name, templates()[name].read_text(encoding="utf-8"), tmp_path)
    began = time.process_time()
    traits_of(family.tokenizer, reads_calls=True)
    assert time.process_time() - began < 1


def test_what_is_lost_or_refused_altogether_is_a_fault() -> None:
    rows = {
        "a": {"system": Outcome(LOST, ("heron",)), "effort": Outcome("none")},
        "b": {"system": Outcome(REFUSED, ("no",)), "effort": Outcome("none")},
        "c": {"system": Outcome(KEPT), "effort": Outcome("low high")},
    }
    assert faults(rows) == ["a: system: heron", "b: everything is refused"]
    assert "| a | LOST | none |" in table(rows)
