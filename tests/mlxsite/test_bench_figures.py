"""What a benchmark makes of its measurements, and of the prompts it is given."""

from __future__ import annotations

import statistics
from itertools import islice
from typing import TYPE_CHECKING

import pytest

from inference.client.figures import LevelFigures, LevelRatios, Pair, Spread
from inference.client.load import LoadResult
from inference.client.prompts import (
    Length,
    PromptError,
    essays,
    read_prompts,
    repeated,
    words,
)
from inference.client.wire import StreamTiming

if TYPE_CHECKING:
    from pathlib import Path


def answer(ttft_s: float, tokens: int, each_s: float) -> StreamTiming:
    """An answer that came a token at a time."""
    return StreamTiming(
        ttft_s=ttft_s,
        total_s=ttft_s + each_s * (tokens - 1),
        gaps_s=(each_s,) * (tokens - 1),
        prompt_tokens=10,
        cached_tokens=4,
        completion_tokens=tokens,
        finish_reason="length",
    )


def result(*answers: StreamTiming, wall_s: float = 2.0, **others: object) -> LoadResult:
    return LoadResult(answers, tuple(others.get("errors", ())), wall_s)


def test_percentiles_are_those_of_the_standard_library() -> None:
    samples = [0.9, 0.1, 0.5, 0.7, 0.3, 0.2]
    cuts = statistics.quantiles(samples, n=100, method="inclusive")
    spread = Spread.of(samples)
    assert spread
    assert spread.p50 == pytest.approx(statistics.median(samples))
    assert (spread.p95, spread.p99) == pytest.approx((cuts[94], cuts[98]))
    assert Spread.of([2.0]) == Spread(2.0, 2.0, 2.0)
    assert Spread.of([]) is None


def test_a_level_adds_its_rounds_up() -> None:
    rounds = [
        result(answer(0.1, 5, 0.02), wall_s=1.0),
        result(answer(0.3, 15, 0.04), wall_s=3.0, errors=["429: full", "x"]),
    ]
    level = LevelFigures.of(2, rounds)
    assert (level.requests, level.errors, level.first_error) == (4, 2, "429: full")
    assert (level.prompt_tokens, level.cached_tokens) == (20, 8)
    assert level.tokens_per_s == pytest.approx(20 / 4.0)
    assert level.ttft
    assert level.ttft.p50 == pytest.approx(0.2)
    # Each answer counts once, however many tokens it has.
    assert level.inter_token
    assert level.inter_token.p50 == pytest.approx(0.03)
    assert level.chunk_gap
    assert level.chunk_gap.p50 == pytest.approx(0.04)


def test_a_level_without_an_answer_has_no_times() -> None:
    level = LevelFigures.of(1, [result(errors=["nobody answers there"])])
    assert level.ttft is level.inter_token is level.chunk_gap is level.total is None
    assert level.tokens_per_s == 0.0


def test_ratios_are_this_one_through_the_other_and_their_median_counts() -> None:
    slow = result(answer(0.4, 10, 0.02), wall_s=2.0)
    pairs = [
        Pair.of(
            1,
            number,
            (result(answer(0.2, 10, 0.01), wall_s=wall_s), slow),
            is_this_first=number % 2 == 1,
        )
        for number, wall_s in ((1, 1.0), (2, 4.0), (3, 0.5))
    ]
    assert [pair.tokens_per_s_ratio for pair in pairs] == [2.0, 0.5, 4.0]
    assert pairs[0].ttft_ratio == pytest.approx(0.5)
    assert pairs[0].inter_token_ratio == pytest.approx(0.5)
    ratios = LevelRatios.of(1, pairs)
    assert ratios.tokens_per_s
    told = ratios.tokens_per_s
    assert (told.median, told.least, told.most) == (2.0, 0.5, 4.0)


def test_a_pair_without_an_answer_on_one_side_has_no_ratio() -> None:
    pair = Pair.of(
        1, 1, (result(errors=["x"]), result(answer(1, 2, 1))), is_this_first=True
    )
    assert pair.tokens_per_s_ratio is pair.ttft_ratio is None
    assert LevelRatios.of(1, [pair]).tokens_per_s is None


def test_no_two_prompts_of_a_run_are_alike() -> None:
    for prompts in (essays(), words(5)):
        texts = [str(said) for said in islice(prompts, 2000)]
        assert len(set(texts)) == 2000


def test_words_are_as_many_as_make_the_tokens() -> None:
    length = Length.of((16, 36), (80, 100))
    assert length.words_for(300) == 280
    assert Length.of((10, 30), (20, 50)).words_for(110) == 50
    with pytest.raises(PromptError, match="must be more than 20"):
        length.words_for(20)


def test_a_file_s_prompts_are_asked_in_turns(tmp_path: Path) -> None:
    file = tmp_path / "prompts.txt"
    file.write_text(
        'Who?\n\n {"prompt": "Why?"}\n{"messages": [{"role": "system", "content": "x"}]}'
    )
    told = [said[0]["content"] for said in islice(repeated(read_prompts(file)), 4)]
    assert told == ["Who?", "Why?", "x", "Who?"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\n \n", "holds no prompt"),
        (b"fine\n{broken", "line 2 is not JSON"),
        (b'{"text": 1}', "line 1 has neither a prompt nor messages"),
        (b"\xff\xfe", "is not UTF-8 text"),
        (b"a\n" * 10_001, "holds more than 10,000 prompts"),
    ],
)
def test_a_file_that_holds_no_prompts_says_where(
    tmp_path: Path, content: bytes, words: str
) -> None:
    file = tmp_path / "prompts.txt"
    file.write_bytes(content)
    with pytest.raises(PromptError, match=words):
        read_prompts(file)
