"""An imported byte-level tokenizer splits text as the one written to the file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers.integrations.gguf.gguf_tokenizer_mapping import (
    GGUF_PRE_TOKENIZER_SPLITS,
)

from tests.engine.gguf_texts import corpus, imported, refusal_of, texts

if TYPE_CHECKING:
    from pathlib import Path

CONTROL, USER_DEFINED = 3, 4


def split_by(regex: str) -> pre_tokenizers.PreTokenizer:
    """Return a pre-tokenizer that splits by `regex`, then spells in bytes."""
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(regex), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


PRE_TOKENIZERS = {
    "gpt-2": pre_tokenizers.ByteLevel(add_prefix_space=False),
    "smollm": pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    ),
    **{
        name: split_by(GGUF_PRE_TOKENIZER_SPLITS[name])
        for name in ("llama-bpe", "tekken", "qwen2", "deepseek-r1-qwen")
    },
}
MARKERS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>"]


def byte_level_model(name: str) -> Tokenizer:
    """Train a small one that splits text as `name` says."""
    tokenizer = Tokenizer(models.BPE(ignore_merges=name in {"llama-bpe", "tekken"}))
    tokenizer.pre_tokenizer = PRE_TOKENIZERS[name]
    if name in {"qwen2", "deepseek-r1-qwen"}:
        tokenizer.normalizer = normalizers.NFC()
    trainer = trainers.BpeTrainer(
        vocab_size=1500,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus(), trainer)
    return tokenizer


def byte_level_metadata(tokenizer: Tokenizer, name: str) -> dict[str, Any]:
    """Write it down as llama.cpp's converter does, with markers at the end."""
    state = json.loads(tokenizer.to_str())["model"]
    tokens = [*sorted(state["vocab"], key=state["vocab"].get), *MARKERS]
    first = len(tokens) - len(MARKERS)
    types = [1] * first + [CONTROL, CONTROL, CONTROL, USER_DEFINED]
    return {
        "model": "gpt2",
        "pre": name,
        "tokens": tokens,
        "token_type": types,
        "merges": [" ".join(merge) for merge in state["merges"]],
        "bos_token_id": first + 1,
        "eos_token_id": first + 2,
    }


@pytest.mark.parametrize("name", PRE_TOKENIZERS)
@pytest.mark.parametrize("architecture", ["llama", "qwen2"])
def test_text_is_split_as_the_file_s_pre_tokenizer_says(
    tmp_path: Path, name: str, architecture: str
) -> None:
    model = byte_level_model(name)
    metadata = byte_level_metadata(model, name)
    if architecture == "qwen2" and "qwen" not in name:
        message = refusal_of(tmp_path, metadata, architecture=architecture)
        assert message == f"pre-tokenizer {name} is not imported for qwen2"
        return

    tokenizer = imported(tmp_path, metadata, architecture=architecture)

    for text in texts():
        found = tokenizer.encode(text, add_special_tokens=False)
        assert found == model.encode(text).ids, text
        composed = model.normalizer.normalize_str(text) if model.normalizer else text
        assert tokenizer.decode(found) == composed


def test_markers_are_one_token_each_and_end_an_answer(tmp_path: Path) -> None:
    metadata = byte_level_metadata(byte_level_model("smollm"), "smollm")

    tokenizer = imported(tmp_path, metadata)

    first = len(metadata["tokens"]) - len(MARKERS)
    found = tokenizer.encode("<|im_start|><think><|im_end|>", add_special_tokens=False)
    assert found == [first + 1, first + 3, first + 2]
    assert tokenizer.eos_token_ids == {first, first + 2}
    assert tokenizer.decode(found, skip_special_tokens=True) == "<think>"


def test_markers_that_a_file_calls_normal_tokens_are_found_too(tmp_path: Path) -> None:
    metadata = byte_level_metadata(byte_level_model("gpt-2"), "gpt-2")
    metadata["token_type"] = [1] * len(metadata["tokens"])

    tokenizer = imported(tmp_path, metadata)

    first = len(metadata["tokens"]) - len(MARKERS)
    found = tokenizer.encode("<|im_start|><|im_end|>", add_special_tokens=False)
    assert found == [first + 1, first + 2]


@pytest.mark.parametrize(
    ("name", "begins"), [("llama-bpe", True), ("tekken", True), ("smollm", False)]
)
def test_a_text_begins_as_the_family_s_texts_do(
    tmp_path: Path, name: str, *, begins: bool
) -> None:
    metadata = byte_level_metadata(byte_level_model(name), name)

    tokenizer = imported(tmp_path, metadata)

    bos = metadata["bos_token_id"]
    assert (tokenizer.encode("the")[0] == bos) is begins


def test_tokens_that_end_a_turn_come_from_the_file(tmp_path: Path) -> None:
    metadata = byte_level_metadata(byte_level_model("gpt-2"), "gpt-2")
    metadata["eot_token_id"] = 7
    metadata["eom_token_id"] = 9

    tokenizer = imported(tmp_path, metadata)

    end_of_text = metadata["tokens"].index("<|endoftext|>")
    assert tokenizer.eos_token_ids == {7, 9, end_of_text, metadata["eos_token_id"]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pre": "default"}, "pre-tokenizer default is not imported; gpt-2, smollm"),
        ({"pre": 5}, "tokenizer.ggml.pre is no text"),
        ({"merges": ["a"]}, "merge 'a' has a part that is no token: ''"),
        ({"merges": ["a 東"]}, "merge 'a 東' has a part that is no token: '東'"),
        ({"merges": 5}, "tokenizer.ggml.merges is no list"),
        ({"merges": [5, 6]}, "tokenizer.ggml.merges has an item of another type"),
    ],
)
def test_it_refuses_a_damaged_byte_level_tokenizer(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    metadata = byte_level_metadata(byte_level_model("gpt-2"), "gpt-2") | changes

    assert refusal_of(tmp_path, metadata).startswith(message)


def test_an_empty_token_does_no_harm(tmp_path: Path) -> None:
    metadata = byte_level_metadata(byte_level_model("gpt-2"), "gpt-2")
    metadata["tokens"] += ["", "[PAD1]"]
    metadata["token_type"] += [5, 5]

    tokenizer = imported(tmp_path, metadata)

    assert tokenizer.decode(tokenizer.encode("a b")) == "a b"
