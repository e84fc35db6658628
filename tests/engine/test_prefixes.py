"""What is kept of texts: prompts that begin alike are read from where they diverge."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mlx.core as mx
import pytest

from inference.core.requests import SamplingSpec
from inference.engine.caches.prefixes import TEXTS_MOST, TOKENS_LEAST, PrefixCache
from inference.engine.loading.text_model import load_text_model
from inference.engine.row_caches.maker import CacheMaker, cache_maker_for
from inference.engine.sequences.sequence import Sequence
from inference.engine.speculation.draft_model import DraftModel, load_draft
from inference.engine.speculation.drafting import Speculator
from tests.engine.driving import Run, SmallChunks
from tests.engine.random_models import VOCABULARY, random_model

if TYPE_CHECKING:
    from pathlib import Path

PLENTY = 2**30
# Can go on from any token; only from where a text ended.
ANYWHERE = ["llama", "gemma2", "deepseek_v3"]
AT_THE_END = ["gemma3_text", "gpt_oss", "qwen3_next", "mamba2", "lfm2_moe", "falcon_h1"]


def tokens(count: int, seed: int) -> list[int]:
    chosen = mx.random.randint(0, VOCABULARY, (count,), key=mx.random.key(seed))
    return list(chosen.tolist())


def asking(number: int, prompt: list[int], *, most: int = 10) -> Sequence:
    spec = SamplingSpec(temperature=0.0, max_tokens=most)
    return Sequence.of(number, prompt, spec)


def answer(maker: CacheMaker, prompt: list[int], *, most: int = 10) -> list[int]:
    """Return what is said to a prompt of which nothing is kept."""
    run = Run(maker)
    run.add(asking(0, prompt, most=most))
    return run.finish()[0]


def conversation(maker: CacheMaker, prefixes: PrefixCache) -> list[int]:
    """Have a first turn; return its text, prompt and answer."""
    run = Run(maker, prefixes=prefixes)
    prompt = tokens(60, seed=1)
    run.add(asking(1, prompt))
    return prompt + run.finish()[1]


def maker_of(architecture: str, kv_bits: int | None = None) -> CacheMaker:
    return cache_maker_for(random_model(architecture), kv_bits=kv_bits)


@pytest.mark.parametrize("architecture", ANYWHERE + AT_THE_END)
def test_the_next_turn_goes_on_and_says_what_it_would_have_said(
    architecture: str,
) -> None:
    maker, prefixes = maker_of(architecture), PrefixCache(PLENTY)
    first = conversation(maker, prefixes)
    prompt = first + tokens(12, seed=2)
    assert prefixes.find(prompt).held == len(first)
    run = Run(maker, prefixes=prefixes)
    run.add(asking(2, prompt))
    assert run.finish() == {2: answer(maker, prompt)}


@pytest.mark.parametrize("architecture", ANYWHERE + AT_THE_END)
def test_turns_that_go_on_and_new_prompts_share_a_batch(architecture: str) -> None:
    maker, prefixes = maker_of(architecture), PrefixCache(PLENTY)
    first = conversation(maker, prefixes)
    prompts = {
        2: first + tokens(12, seed=2),
        3: tokens(40, seed=3),
        4: first + tokens(5, seed=4),
        5: tokens(9, seed=5),
    }
    run = Run(maker, prefixes=prefixes)
    run.add(*(asking(number, prompt) for number, prompt in prompts.items()))
    assert run.finish() == {
        number: answer(maker, prompt) for number, prompt in prompts.items()
    }
    # Those that began from it left it as it was.
    again = Run(maker, prefixes=prefixes)
    again.add(asking(2, prompts[2]))
    assert again.finish() == {2: answer(maker, prompts[2])}


@pytest.mark.parametrize("kv_bits", [None, 8])
@pytest.mark.parametrize("architecture", ANYWHERE)
def test_prompts_that_go_on_are_prefilled_together(
    architecture: str, kv_bits: int | None
) -> None:
    """A template puts the same beginning before every prompt."""
    maker, prefixes = maker_of(architecture, kv_bits), PrefixCache(PLENTY)
    first = conversation(maker, prefixes)
    prompts = {
        number: first[:held] + tokens(left, seed=number)
        for number, (held, left) in enumerate([(20, 30), (31, 12), (25, 40), (0, 25)])
    }
    run = Run(maker, SmallChunks(), prefixes=prefixes)
    run.add(*(asking(number, prompt) for number, prompt in prompts.items()))
    (group,) = run.prefill.form_groups(8)
    assert [match.held for match in group.matches] == [20, 31, 25, 0]
    expected = {number: answer(maker, prompt) for number, prompt in prompts.items()}
    assert run.finish() == expected


def test_prompts_that_share_little_more_than_nothing_are_not_padded_to_long_ones() -> (
    None
):
    maker, prefixes = maker_of("llama"), PrefixCache(PLENTY)
    kept(prefixes, maker, long := tokens(400, seed=0))
    run = Run(maker, prefixes=prefixes)
    run.add(asking(1, long[:390] + tokens(20, 1)), asking(2, long[:20] + tokens(20, 2)))
    groups = run.prefill.form_groups(8)
    assert [len(group.sequence_groups) for group in groups] == [1, 1]


@pytest.mark.parametrize("kv_bits", [4, 8])
def test_quantized_keys_and_values_are_kept_as_they_are(kv_bits: int) -> None:
    maker, prefixes = maker_of("llama", kv_bits), PrefixCache(PLENTY)
    first = conversation(maker, prefixes)
    prompt = first[:50] + tokens(12, seed=2)
    assert prefixes.find(prompt).held == 50
    run = Run(maker, prefixes=prefixes)
    run.add(asking(2, prompt), asking(3, tokens(20, seed=3)))
    assert run.finish()[2] == answer(maker, prompt)


@pytest.mark.parametrize("architecture", ANYWHERE)
def test_a_prompt_that_diverges_goes_on_from_there(architecture: str) -> None:
    maker, prefixes = maker_of(architecture), PrefixCache(PLENTY)
    first = conversation(maker, prefixes)
    prompt = [*first[:45], (first[45] + 1) % VOCABULARY, *tokens(12, seed=2)]
    match = prefixes.find(prompt)
    assert (match.held, match.diverged_at) == (45, 45)
    run = Run(maker, prefixes=prefixes)
    run.add(asking(2, prompt))
    assert run.finish() == {2: answer(maker, prompt)}


@pytest.mark.parametrize("architecture", AT_THE_END)
def test_a_model_that_cannot_go_back_says_where_the_prompt_diverged(
    architecture: str,
) -> None:
    maker, prefixes = maker_of(architecture), PrefixCache(PLENTY)
    first = conversation(maker, prefixes)
    prompt = [*first[:45], (first[45] + 1) % VOCABULARY, *tokens(12, seed=2)]
    match = prefixes.find(prompt)
    assert (match.held, match.diverged_at) == (0, 45)
    run = Run(maker, prefixes=prefixes)
    run.add(asking(2, prompt))
    assert run.finish() == {2: answer(maker, prompt)}


def test_the_same_prompt_runs_its_last_token_only() -> None:
    maker, prefixes = maker_of("llama"), PrefixCache(PLENTY)
    prompt = conversation(maker, prefixes)[:60]
    match = prefixes.find(prompt)
    assert (match.held, match.diverged_at) == (59, 60)
    run = Run(maker, prefixes=prefixes)
    run.add(asking(2, prompt))
    assert run.finish() == {2: answer(maker, prompt)}


def test_several_answers_to_one_prompt_go_on_together() -> None:
    maker, prefixes = maker_of("llama"), PrefixCache(PLENTY)
    prompt = conversation(maker, prefixes) + tokens(12, seed=2)
    run = Run(maker, prefixes=prefixes)
    family = [asking(number, prompt) for number in (2, 3, 4)]
    for one in family[1:]:
        one.leads = False
    run.prefill.append(family)
    assert run.finish() == dict.fromkeys((2, 3, 4), answer(maker, prompt))
    # The first of them took the place of the turn that it goes on from.
    assert len(prefixes) == 1


def test_what_a_cancelled_answer_had_read_and_said_is_kept() -> None:
    maker, prefixes = maker_of("llama"), PrefixCache(PLENTY)
    run = Run(maker, prefixes=prefixes)
    cancelled, stays = asking(1, tokens(60, seed=1), most=40), asking(2, tokens(9, 2))
    run.add(cancelled, stays)
    while len(run.tokens.get(1, [])) < 5:
        run.turn()
    cancelled.has_left = True
    run.batch.leave({cancelled})
    text = cancelled.prompt + run.tokens[1]
    assert prefixes.find([*text, 1]).held == len(text)


def test_a_row_that_leaves_before_its_first_step_is_kept_without_its_last_token() -> (
    None
):
    maker, prefixes = maker_of("mamba2"), PrefixCache(PLENTY)
    run = Run(maker, prefixes=prefixes)
    leaves = asking(1, tokens(60, seed=1))
    run.add(leaves)
    run.prefill.form_groups(8)
    group = run.prefill.advance(target_s=60.0)
    assert group is not None
    run.batch.join(group)
    leaves.has_left = True
    run.batch.leave({leaves})
    assert prefixes.find(leaves.prompt).held == 59
    again = Run(maker, prefixes=prefixes)
    again.add(asking(2, leaves.prompt))
    assert again.finish() == {2: answer(maker, leaves.prompt)}


@pytest.mark.parametrize("architecture", ["llama", "mamba2"])
def test_a_prefill_that_nobody_waits_for_is_not_lost(architecture: str) -> None:
    """Who gives up a long prompt often asks it again."""
    maker, prefixes = maker_of(architecture), PrefixCache(PLENTY)
    run = Run(maker, SmallChunks(), prefixes=prefixes)
    gone = asking(1, tokens(100, seed=1))
    run.add(gone)
    for _ in range(3):
        run.turn()
    gone.has_left = True
    run.turn()
    held = prefixes.find(gone.prompt).held
    assert TOKENS_LEAST <= held < 99
    again = Run(maker, prefixes=prefixes)
    again.add(asking(2, gone.prompt))
    assert again.finish() == {2: answer(maker, gone.prompt)}


@pytest.fixture(scope="module")
def draft(tiny_model_dir: Path) -> tuple[CacheMaker, DraftModel]:
    text = load_text_model(tiny_model_dir)
    return text.caches, load_draft(tiny_model_dir, text)


def test_what_a_draft_had_guessed_beyond_an_end_is_not_kept(
    draft: tuple[CacheMaker, DraftModel],
) -> None:
    maker, model = draft
    prefixes = PrefixCache(PLENTY)
    prompt = tokens(60, seed=1)
    # Long enough for runs of several tokens, and ended within one.
    expected = answer(maker, prompt, most=61)
    run = Run(maker, speculation=Speculator(maker.model, model), prefixes=prefixes)
    run.add(asking(1, prompt, most=61))
    assert run.finish() == {1: expected}
    text = prompt + expected
    follow = text + tokens(12, seed=2)
    assert prefixes.find(follow).held == len(text)
    again = Run(maker, prefixes=prefixes)
    again.add(asking(2, follow))
    assert again.finish() == {2: answer(maker, follow)}


# --- what is kept, and for how long


def kept(prefixes: PrefixCache, maker: CacheMaker, *texts: list[int]) -> None:
    for text in texts:
        caches = maker.make()
        maker.model(mx.array([text]), cache=caches)
        prefixes.keep(text, caches)


@pytest.fixture(scope="module")
def llama() -> CacheMaker:
    return maker_of("llama")


@pytest.fixture(scope="module")
def text_bytes(llama: CacheMaker) -> int:
    prefixes = PrefixCache(PLENTY)
    kept(prefixes, llama, tokens(64, seed=0))
    return prefixes.held_bytes


def test_those_not_used_for_longest_go_first(
    llama: CacheMaker, text_bytes: int
) -> None:
    prefixes = PrefixCache(2 * text_bytes)
    first, second, third = (tokens(64, seed=number) for number in range(3))
    kept(prefixes, llama, first, second)
    assert prefixes.find(first).held
    kept(prefixes, llama, third)
    held = [bool(prefixes.find(text).held) for text in (first, second, third)]
    assert held == [True, False, True]
    assert prefixes.held_bytes == 2 * text_bytes


def test_a_text_takes_no_more_than_its_tokens_do(
    llama: CacheMaker, text_bytes: int
) -> None:
    """Caches grow by hundreds of tokens at a time; what is kept does not."""
    prefixes = PrefixCache(PLENTY)
    run = Run(llama, prefixes=prefixes)
    run.add(asking(1, tokens(60, seed=1), most=4))
    run.finish()
    assert prefixes.held_bytes == text_bytes


def test_a_text_longer_than_all_the_room_is_not_kept(
    llama: CacheMaker, text_bytes: int
) -> None:
    prefixes = PrefixCache(text_bytes - 1)
    kept(prefixes, llama, tokens(64, seed=0))
    assert (len(prefixes), prefixes.held_bytes) == (0, 0)


def test_without_room_nothing_is_kept(llama: CacheMaker) -> None:
    prefixes = PrefixCache(0)
    kept(prefixes, llama, tokens(64, seed=0))
    assert len(prefixes) == 0


def test_short_texts_are_not_worth_it(llama: CacheMaker) -> None:
    prefixes = PrefixCache(PLENTY)
    kept(prefixes, llama, tokens(TOKENS_LEAST - 1, seed=0))
    assert len(prefixes) == 0
    kept(prefixes, llama, tokens(64, seed=0))
    match = prefixes.find(tokens(64, seed=0)[: TOKENS_LEAST - 1] + [0] * 40)
    assert match.held == 0
    assert match.diverged_at is not None
    assert match.diverged_at >= TOKENS_LEAST - 1


def test_a_longer_text_takes_the_place_of_the_shorter(llama: CacheMaker) -> None:
    prefixes = PrefixCache(PLENTY)
    text = tokens(64, seed=0)
    kept(prefixes, llama, text[:40], text)
    assert len(prefixes) == 1
    kept(prefixes, llama, text[:50])
    assert len(prefixes) == 1
    assert prefixes.find([*text, 0]).held == 64


def test_a_recurrent_model_keeps_both(llama: CacheMaker) -> None:
    """It can go on from each, and from nowhere between."""
    maker, prefixes = maker_of("mamba2"), PrefixCache(PLENTY)
    text = tokens(64, seed=0)
    kept(prefixes, maker, text[:40], text)
    held = [prefixes.find([*text[:n], 0]).held for n in (40, 50, 64)]
    assert held == [40, 40, 64]


def test_there_is_a_most_of_texts(llama: CacheMaker) -> None:
    prefixes = PrefixCache(PLENTY)
    kept(prefixes, llama, *(tokens(40, seed=n) for n in range(TEXTS_MOST + 3)))
    assert len(prefixes) == TEXTS_MOST
    prefixes.clear()
    assert (len(prefixes), prefixes.held_bytes) == (0, 0)
    assert prefixes.find(tokens(40, seed=5)).diverged_at is None


def test_nothing_is_known_of_the_first_prompt() -> None:
    assert PrefixCache(PLENTY).find(tokens(40, seed=0)).diverged_at is None


def test_caches_that_a_model_makes_for_itself_are_not_kept() -> None:
    """Nobody here knows how to copy them."""
    maker, prefixes = maker_of("deepseek_v41"), PrefixCache(PLENTY)
    prompt = conversation(maker, prefixes)
    assert len(prefixes) == 0
    run = Run(maker, prefixes=prefixes)
    run.add(asking(2, prompt))
    assert run.finish() == {2: answer(maker, prompt)}


def test_what_is_kept_of_a_prompt_is_not_waited_for(llama: CacheMaker) -> None:
    prompt = [number % VOCABULARY for number in range(60)]
    spec = SamplingSpec(temperature=0.0, max_tokens=3)
    run = Run(llama, SmallChunks(), prefixes=PrefixCache(1 << 30))
    run.add(Sequence.of(0, prompt, spec))
    assert run.prefill.waiting_s == 60
    run.finish()
    run.add(Sequence.of(1, prompt, spec))
    assert run.prefill.waiting_s == 1
    run.turn()
    assert run.prefill.waiting_s == 0
