"""The models that are suggested fit, and are of use, on any machine."""

from __future__ import annotations

import pytest

from inference.library.advice import KNOWN, SHARE, suggest
from inference.library.hub import is_hub_id

GIB = 1 << 30


@pytest.mark.parametrize("on_cpu", [False, True])
@pytest.mark.parametrize("gib", [1, 2, 3, 4, 6, 8, 12, 16, 24, 36, 64, 96, 128, 512])
def test_no_model_is_suggested_that_does_not_fit(gib: int, on_cpu: bool) -> None:
    for one in suggest(memory_bytes=gib * GIB, on_cpu=on_cpu):
        assert one.model.needed_bytes(on_cpu=on_cpu) <= gib * GIB * SHARE
        assert one.model.size_bytes < one.model.needed_bytes(on_cpu=on_cpu)


@pytest.mark.parametrize(
    ("gib", "names"),
    [
        (8, ["Qwen3-0.6B-4bit", "Qwen3-1.7B-4bit", "gemma-3-4b-it-4bit"]),
        (16, ["Qwen3-1.7B-4bit", "gemma-3-4b-it-4bit", "Qwen3-14B-4bit"]),
        (32, ["Qwen3-4B-4bit", "Qwen3-14B-4bit", "Qwen3-30B-A3B-4bit"]),
        (
            128,
            [
                "Qwen2.5-VL-7B-Instruct-4bit",
                "Qwen2.5-VL-32B-Instruct-4bit",
                "Qwen2.5-VL-72B-Instruct-4bit",
            ],
        ),
    ],
)
def test_a_machine_with_a_gpu_is_used_to_its_size(gib: int, names: list[str]) -> None:
    found = suggest(memory_bytes=gib * GIB, on_cpu=False)

    assert [one.role for one in found] == ["quick", "balanced", "best"]
    assert [one.model.repo_id.partition("/")[2] for one in found] == names


def test_a_cpu_gets_small_models_however_much_memory_there_is() -> None:
    found = suggest(memory_bytes=512 * GIB, on_cpu=True)

    assert [one.role for one in found] == ["quick", "balanced", "best"]
    assert all(one.model.size_bytes < 1_000_000_000 for one in found)


def test_a_machine_with_little_memory_gets_fewer_suggestions_or_none() -> None:
    assert suggest(memory_bytes=GIB, on_cpu=False) == ()
    (only,) = suggest(memory_bytes=int(1.5 * GIB), on_cpu=False)
    assert (only.role, only.model) == ("best", KNOWN[0])


@pytest.mark.parametrize("gib", [2, 8, 24, 64])
def test_the_three_are_three_and_grow(gib: int) -> None:
    sizes = [
        one.model.size_bytes for one in suggest(memory_bytes=gib * GIB, on_cpu=False)
    ]

    assert sizes == sorted(set(sizes))


def test_every_known_model_has_a_name_that_can_be_pulled() -> None:
    assert all(is_hub_id(model.repo_id) for model in KNOWN)
    assert len({model.repo_id for model in KNOWN}) == len(KNOWN)
    sizes = [model.size_bytes for model in KNOWN]
    assert sizes == sorted(sizes)
