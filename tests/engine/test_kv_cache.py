"""Caches for models of many shapes: what is quantized, what it costs, what it says."""

from __future__ import annotations

import gc
import math
from typing import TYPE_CHECKING, Any

import mlx.core as mx
import pytest
from mlx.utils import tree_flatten
from mlx_lm.models.cache import make_prompt_cache
from mlx_lm.utils import load

from inference.core.requests import SamplingSpec
from inference.engine.batch.decode_batch import DecodeBatch
from inference.engine.caches.quantized import QuantizedCache
from inference.engine.hardware.device import settle_dtype
from inference.engine.prefill.groups import PrefillGroup, PrefillPace
from inference.engine.prefill.queue import PrefillQueue
from inference.engine.row_caches.maker import CacheMaker, cache_maker_for, kv_cost
from inference.engine.sequences.sequence import Sequence
from tests.engine.random_models import VOCABULARY, random_model

if TYPE_CHECKING:
    from pathlib import Path

UNPACKED = "cannot read packed numbers here"
LENGTHS = (16, 3, 13, 9, 16)


def tokens(count: int, seed: int) -> list[int]:
    chosen = mx.random.randint(0, VOCABULARY, (count,), key=mx.random.key(seed))
    return list(chosen.tolist())


def sequence(number: int, length: int, max_tokens: int = 10) -> Sequence:
    spec = SamplingSpec(temperature=0.0, max_tokens=max_tokens)
    return Sequence.of(number, tokens(length, seed=number), spec)


class SmallChunks(PrefillPace):
    """A machine that always takes long for the smallest chunk."""

    def __init__(self) -> None:
        super().__init__(tokens_per_s=1.0)

    def learn(self, tokens: int, seconds: float) -> None:
        """Stay slow."""


class Run:
    """Drives prefill and batch as the engine's loop does, without its threads."""

    def __init__(self, maker: CacheMaker, pace: PrefillPace | None = None) -> None:
        self.batch = DecodeBatch(maker.model)
        self.prefill = PrefillQueue(
            maker.model,
            is_batchable=maker.is_batchable,
            pace=pace or PrefillPace(tokens_per_s=2000.0),
            make_cache=maker.make,
            can_pad=maker.can_pad,
        )
        self.tokens: dict[int, list[int]] = {}
        self.group_sizes: list[int] = []

    def add(self, *sequences: Sequence) -> None:
        for one in sequences:
            self.prefill.append([one])

    def turn(self) -> None:
        self.prefill.form_groups(32 - len(self.batch) - self.prefill.rows)
        group = self.prefill.advance(target_s=0.25)
        if group is not None:
            self.group_sizes.append(len(group.sequences))
            self.batch.join(group)
        gone = set()
        for chosen in self.batch.step():
            row = chosen.sequence
            self.tokens.setdefault(row.sequence_id, []).append(chosen.token)
            if len(self.tokens[row.sequence_id]) == row.max_tokens:
                row.has_left = True
                gone.add(row)
        self.batch.leave(gone)

    def finish(self) -> dict[int, list[int]]:
        while self.prefill or self.batch:
            self.turn()
        return self.tokens


def alone(maker: CacheMaker, one: Sequence) -> list[int]:
    run = Run(maker)
    run.add(Sequence.of(one.sequence_id, one.prompt, one.spec))
    return run.finish()[one.sequence_id]


def together(
    maker: CacheMaker, lengths: tuple[int, ...], pace: PrefillPace | None = None
) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
    """Return the answers of rows that ran together, and those that they give alone."""
    rows = [sequence(number, length) for number, length in enumerate(lengths)]
    run = Run(maker, pace)
    run.add(*rows)
    return run.finish(), {row.sequence_id: alone(maker, row) for row in rows}


def quantized_parts(maker: CacheMaker) -> list[bool]:
    """Tell for each cache of a row whether it is quantized."""
    parts: list[bool] = []
    for cache in maker.make():
        inner = getattr(cache, "caches", (cache,))
        parts.extend(isinstance(part, QuantizedCache) for part in inner)
    return parts


def held_bytes(maker: CacheMaker, count: int) -> int:
    """Prefill so many tokens and return what the caches then hold."""
    caches = maker.make()
    row = mx.array([tokens(count + 1, seed=1)])
    maker.model(row[:, :count], cache=caches)
    # A window lets go of what fell out of it at the next step.
    mx.eval(maker.model(row[:, count:], cache=caches))
    return sum(cache.nbytes for cache in caches)


# --- answers


@pytest.mark.parametrize("kv_bits", [4, 8])
def test_company_never_changes_the_answer_of_a_quantized_row(kv_bits: int) -> None:
    maker = cache_maker_for(random_model("llama"), kv_bits=kv_bits)
    assert maker.notes == ()
    assert all(quantized_parts(maker))
    answers, expected = together(maker, LENGTHS)
    assert answers == expected
    assert len({tuple(answer) for answer in answers.values()}) > 1


def test_a_prompt_cut_into_chunks_gets_the_same_answer() -> None:
    maker = cache_maker_for(random_model("llama"), kv_bits=8)
    answers, expected = together(maker, (70, 64, 40), SmallChunks())
    assert answers == expected


def test_quantized_rows_join_and_leave_in_mid_answer() -> None:
    maker = cache_maker_for(random_model("llama"), kv_bits=8)
    rows = [sequence(number, length) for number, length in enumerate(LENGTHS)]
    run = Run(maker)
    run.add(rows[0], rows[1])
    for _ in range(4):
        run.turn()
    run.add(rows[2])
    for _ in range(3):
        run.turn()
    rows[1].has_left = True
    run.batch.leave({rows[1]})
    run.add(rows[3], rows[4])
    answers = run.finish()
    for place in (0, 2, 3, 4):
        assert answers[place] == alone(maker, rows[place])


def test_several_choices_share_one_quantized_prompt() -> None:
    maker = cache_maker_for(random_model("llama"), kv_bits=8)
    choices = [sequence(0, 12) for _ in range(3)]
    for place, choice in enumerate(choices):
        choice.sequence_id = 10 + place
    run = Run(maker)
    run.prefill.append(choices)
    run.add(sequence(5, 9))
    answer = alone(maker, sequence(0, 12))
    expected = {10: answer, 11: answer, 12: answer, 5: alone(maker, sequence(5, 9))}
    assert run.finish() == expected


@pytest.mark.parametrize(
    "architecture",
    [
        "gemma2",
        "gemma3_text",
        "gpt_oss",
        "deepseek_v3",
        "falcon_h1",
        "kimi_linear",
        "lfm2_moe",
        "mamba",
        "mamba2",
        "qwen3_5",
        "qwen3_5_moe",
        "qwen3_next",
    ],
)
@pytest.mark.parametrize("kv_bits", [None, 8])
def test_each_architecture_keeps_rows_apart(
    architecture: str, kv_bits: int | None
) -> None:
    """Prompts are cut, so that padding has to be told from text in mid-prompt."""
    maker = cache_maker_for(random_model(architecture), kv_bits=kv_bits)
    assert maker.is_batchable
    answers, expected = together(maker, (40, 21, 35, 40), SmallChunks())
    assert answers == expected


def test_eight_bits_hardly_move_the_logits() -> None:
    model = random_model("llama")
    prompt = mx.array([tokens(40, seed=3)])

    def logits(kv_bits: int | None) -> mx.array:
        caches = cache_maker_for(model, kv_bits=kv_bits).make()
        model(prompt[:, :-1], cache=caches)
        return model(prompt[:, -1:], cache=caches)

    full, eight, four = logits(None), logits(8), logits(4)
    error_of_eight = mx.abs(eight - full).max() / mx.abs(full).max()
    error_of_four = mx.abs(four - full).max() / mx.abs(full).max()
    assert 0 < error_of_eight < 0.01
    assert error_of_eight < error_of_four < 0.2


def after_prompts(maker: CacheMaker, rows: list[Sequence]) -> mx.array:
    """Return what the model says to each row's last prompt token, prefilled in one."""
    group = PrefillGroup(maker.model, [[row] for row in rows], make_cache=maker.make)
    while not group.is_done:
        group.advance(SmallChunks(), target_s=0.25)
    last = mx.array([[row.last_prompt_token] for row in rows])
    logits: mx.array = maker.model(last, cache=group.rows.caches)
    return logits


@pytest.mark.parametrize(
    "architecture",
    [
        "falcon_h1",
        "gemma3_text",
        "kimi_linear",
        "lfm2_moe",
        "llama",
        "mamba",
        "mamba2",
        "qwen3_5",
        "qwen3_5_moe",
        "qwen3_next",
    ],
)
def test_it_pads_prompts_only_where_that_changes_nothing(architecture: str) -> None:
    """What is not padded is wrong when padded: a library that mends it shows here."""
    maker = cache_maker_for(random_model(architecture), kv_bits=None)
    rows = [sequence(number, length) for number, length in enumerate((17, 6, 13))]
    padded = after_prompts(maker, rows)
    single = mx.concatenate([after_prompts(maker, [row]) for row in rows])
    error = mx.abs(padded - single).max() / mx.abs(single).max()
    assert (error.item() < 1e-4) == maker.can_pad


# --- what is quantized, and what is said about the rest


def test_it_says_which_heads_it_cannot_quantize(tiny_model_dir: Path) -> None:
    model, _ = load(str(tiny_model_dir))
    maker = cache_maker_for(model, kv_bits=8)
    assert not any(quantized_parts(maker))
    assert maker.notes == (
        "kv_bits is not possible: 3 of 3 layers keep heads of 24 numbers"
        " (no multiple of 32 or 64) in full precision.",
    )


def test_it_quantizes_around_sliding_windows() -> None:
    maker = cache_maker_for(random_model("gemma3_text"), kv_bits=4)
    assert quantized_parts(maker) == [False, True, False, True]
    assert maker.notes == (
        "kv_bits: 2 of 4 layers keep a sliding window in full precision.",
    )


def test_it_quantizes_the_attention_beside_a_recurrent_state() -> None:
    maker = cache_maker_for(random_model("falcon_h1"), kv_bits=8)
    assert quantized_parts(maker) == [False, True] * 4
    assert maker.notes == (
        "kv_bits: 4 of 4 layers keep a recurrent state in full precision.",
    )


@pytest.mark.parametrize("architecture", ["gemma2", "gpt_oss", "deepseek_v3"])
def test_it_unpacks_for_attention_that_cannot_read_packed_numbers(
    architecture: str,
) -> None:
    """Capped scores, sinks, latent attention: the library's kernel has none of it."""
    maker = cache_maker_for(random_model(architecture), kv_bits=8)
    assert any(quantized_parts(maker))
    assert UNPACKED in maker.notes[0]


def test_it_says_that_a_recurrent_model_has_nothing_to_quantize() -> None:
    maker = cache_maker_for(random_model("mamba2"), kv_bits=8)
    assert maker.notes == (
        "kv_bits is not possible: 4 of 4 layers keep a recurrent state"
        " in full precision.",
    )


def test_it_leaves_caches_alone_that_a_model_makes_for_itself() -> None:
    maker = cache_maker_for(random_model("deepseek_v41"), kv_bits=8)
    assert not any(quantized_parts(maker))
    assert "2 of 2 layers keep a cache of their own kind" in maker.notes[0]


def test_nothing_is_quantized_and_nothing_said_where_nobody_asked() -> None:
    maker = cache_maker_for(random_model("gemma3_text"), kv_bits=None)
    assert not any(quantized_parts(maker))
    assert maker.notes == ()


def test_it_refuses_a_number_of_bits_that_it_does_not_have() -> None:
    with pytest.raises(ValueError, match="kv_bits is 4 or 8, not 3"):
        cache_maker_for(random_model("llama"), kv_bits=3)


# --- rows together


def test_it_knows_a_model_that_can_only_run_one_row() -> None:
    """gpt_bigcode takes its position as one number."""
    maker = cache_maker_for(random_model("gpt_bigcode"), kv_bits=8)
    assert not maker.is_batchable
    assert all(quantized_parts(maker))
    answers, expected = together(maker, (9,))
    assert answers == expected


def test_it_groups_prompts_of_one_length_where_padding_would_change_answers() -> None:
    maker = cache_maker_for(random_model("mamba2"), kv_bits=None)
    run = Run(maker)
    run.add(*(sequence(number, length) for number, length in enumerate((9, 9, 8, 9))))
    run.finish()
    assert run.group_sizes == [2, 1, 1]


def test_prompts_of_one_token_are_grouped_with_nobody() -> None:
    """They have no keys before their first step, and one of them may leave."""
    maker = cache_maker_for(random_model("llama"), kv_bits=8)
    run = Run(maker)
    rows = [sequence(number, length) for number, length in enumerate((1, 1, 5, 5))]
    run.add(*rows)
    answers = run.finish()
    assert run.group_sizes == [1, 1, 2]
    assert answers == {row.sequence_id: alone(maker, row) for row in rows}


def test_it_finds_out_without_computing_anything() -> None:
    """Weights that nobody asked for are not in memory afterwards either."""
    model = random_model("llama")
    names = [(name, array.shape) for name, array in tree_flatten(model.parameters())]
    model.load_weights([(name, mx.ones(shape)) for name, shape in names])
    gc.collect()  # models of other tests go now, or not while this one counts
    before = mx.get_active_memory()
    assert kv_cost(model, cache_maker_for(model, kv_bits=None)).bytes_per_token > 0
    assert mx.get_active_memory() - before < 64 * 1024
    mx.eval(model.parameters())
    assert mx.get_active_memory() - before > 64 * 1024


# --- what a row costs


@pytest.mark.parametrize(
    "architecture", ["llama", "gemma2", "gemma3_text", "mamba2", "falcon_h1"]
)
@pytest.mark.parametrize("kv_bits", [None, 4])
def test_the_cost_covers_what_a_row_really_takes(
    architecture: str, kv_bits: int | None
) -> None:
    model = random_model(architecture)
    maker = cache_maker_for(model, kv_bits=kv_bits)
    cost = kv_cost(model, maker)
    for count in (20, 300, 700):
        held = held_bytes(maker, count)
        stated = cost.bytes_per_row + cost.bytes_per_token * count
        step = 256 * cost.bytes_per_token
        assert held <= stated + cost.bytes_per_token
        assert stated - held <= step + held_bytes(maker, 20)


def test_the_cost_of_a_token_is_its_keys_and_values_in_all_layers() -> None:
    model = random_model("llama")
    full = kv_cost(model, cache_maker_for(model, kv_bits=None))
    four = kv_cost(model, cache_maker_for(model, kv_bits=4))
    numbers_per_token = 4 * 2 * 2 * 32  # layers, heads, keys and values, dimensions
    assert full.bytes_per_token == numbers_per_token * 4
    # Groups of 32 share a scale and a bias of 32 bits each.
    assert four.bytes_per_token == numbers_per_token * (4 + 2) / 8
    assert (full.window, four.window) == (0, 0)


def test_only_layers_that_grow_for_ever_cost_by_the_token() -> None:
    model = random_model("gemma3_text")
    cost = kv_cost(model, cache_maker_for(model, kv_bits=None))
    a_token_in_a_layer = 2 * 2 * 32 * 4
    assert cost.window == 0
    assert cost.bytes_per_token == 2 * a_token_in_a_layer
    assert cost.bytes_per_row >= 2 * 16 * a_token_in_a_layer


def test_a_model_of_windows_costs_no_more_beyond_them() -> None:
    model = random_model("recurrent_gemma")
    maker = cache_maker_for(model, kv_bits=None)
    cost = kv_cost(model, maker)
    assert cost.window == 64
    most = cost.bytes_per_row + cost.bytes_per_token * cost.window
    assert held_bytes(maker, 60) <= most
    assert held_bytes(maker, 900) <= most


def test_a_recurrent_state_costs_the_same_for_any_prompt() -> None:
    model = random_model("mamba2")
    maker = cache_maker_for(model, kv_bits=None)
    cost = kv_cost(model, maker)
    assert (cost.bytes_per_token, cost.window) == (0, 0)
    assert held_bytes(maker, 10) == held_bytes(maker, 90) == cost.bytes_per_row


def test_caches_of_unknown_kind_are_measured_by_their_growth() -> None:
    model = random_model("deepseek_v41")
    maker = cache_maker_for(model, kv_bits=None)
    cost = kv_cost(model, maker)
    growth = held_bytes(maker, 400) - held_bytes(maker, 200)
    assert cost.bytes_per_token == math.ceil(growth / 200)
    assert held_bytes(maker, 400) <= cost.bytes_per_row + 404 * cost.bytes_per_token


# --- a real model


@pytest.mark.slow
def test_a_real_model_says_nearly_the_same_in_eight_bits(smollm2_dir: Path) -> None:
    model, tokenizer = load(str(smollm2_dir))
    settle_dtype(model)
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": "What is the capital of France? Why is it so?"}],
        add_generation_prompt=True,
    )

    def answer(kv_bits: int | None) -> list[int]:
        run = Run(cache_maker_for(model, kv_bits=kv_bits))
        spec = SamplingSpec(temperature=0.0, max_tokens=14)
        run.add(Sequence.of(1, list(prompt), spec))
        return run.finish()[1]

    full, eight = answer(None), answer(8)
    assert "Paris" in tokenizer.decode(full)
    assert eight == full


@pytest.mark.slow
def test_a_real_model_keeps_rows_apart_in_four_bits(smollm2_dir: Path) -> None:
    model, _ = load(str(smollm2_dir))
    settle_dtype(model)
    maker = cache_maker_for(model, kv_bits=4)
    assert maker.notes == ()
    plain: Any = make_prompt_cache(model)
    assert len(maker.make()) == len(plain)
    answers, expected = together(maker, (20, 12))
    assert answers == expected
