"""A bound is named only where no token can stand for more characters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from inference.engine.text.token_lengths import longest_token_chars

if TYPE_CHECKING:
    from collections.abc import Mapping

SAID = {"id": 9, "content": "<|longest|>", "lstrip": False, "rstrip": False}
SPLIT = {"type": "Split", "behavior": "Isolated"}


def bound(model: Mapping[str, Any] = {}, **parts: Any) -> int | None:
    vocab = {"a": 0, "abcde": 1}
    return longest_token_chars(
        {"model": {"type": "BPE", "vocab": vocab, **model}, **parts}
    )


def replaced(pattern: dict[str, str], content: str) -> dict[str, Any]:
    return {"type": "Replace", "pattern": pattern, "content": content}


def several(*normalizers: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Sequence", "normalizers": list(normalizers)}


def test_it_is_the_longest_text_of_the_vocabulary_and_of_the_added_tokens() -> None:
    assert bound() == 5
    assert bound(added_tokens=[SAID]) == 11


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"normalizer": {"type": "NFC"}}, 20),
        ({"normalizer": {"type": "Prepend", "prepend": "_"}}, 5),
        ({"normalizer": several({"type": "NFC"}, {"type": "Prepend"})}, 20),
        ({"normalizer": replaced({"String": " "}, "_")}, 5),
        ({"pre_tokenizer": {"type": "Sequence", "pretokenizers": [SPLIT]}}, 5),
        ({"model": {"unk_token": "?", "fuse_unk": False}}, 5),
        ({"model": {"unk_token": "?", "fuse_unk": True, "byte_fallback": True}}, 5),
    ],
)
def test_composing_letters_makes_a_text_shorter(
    parts: dict[str, Any], expected: int
) -> None:
    assert bound(**parts) == expected


@pytest.mark.parametrize(
    "parts",
    [
        {"model": {"type": "Unigram"}},
        {"model": {"unk_token": "?", "fuse_unk": True}},
        {"normalizer": {"type": "StripAccents"}},
        {"normalizer": several({"type": "NFC"}, {"type": "Strip"})},
        {"normalizer": replaced({"Regex": " +"}, " ")},
        {"normalizer": replaced({"String": "  "}, "_")},
        {"pre_tokenizer": {"type": "Whitespace"}},
        {"pre_tokenizer": {**SPLIT, "behavior": "Removed"}},
        {"added_tokens": [{**SAID, "rstrip": True}]},
    ],
)
def test_there_is_none_where_parts_of_a_text_may_get_lost(
    parts: dict[str, Any],
) -> None:
    assert bound(**parts) is None
