"""Byte-level BPE from a GGUF file (`gpt2`): its merges, and how text is split first.

Only with a pre-tokenizer that is known by name: a guessed one would split numbers or
spaces otherwise than the model was trained on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inference.engine.gguf.header import GGUFError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inference.engine.gguf.metadata import Metadata

# What each pre-tokenizer of a model family splits text by, as its authors published.
LLAMA3_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
TEKKEN_SPLIT = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def _byte_level(*, use_regex: bool) -> dict[str, Any]:
    return {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": True,
        "use_regex": use_regex,
    }


def _split_by(regex: str) -> list[dict[str, Any]]:
    split = {
        "type": "Split",
        "pattern": {"Regex": regex},
        "behavior": "Isolated",
        "invert": False,
    }
    return [split, _byte_level(use_regex=False)]


@dataclass(frozen=True, slots=True)
class PreTokenizer:
    """How a family splits text.

    `ignores_merges`: a piece that is a token needs no merges. `adds_bos`: a text
    begins with the BOS token where the file does not say otherwise.
    """

    steps: list[dict[str, Any]]
    normalizer: dict[str, Any] | None = None
    ignores_merges: bool = False
    adds_bos: bool = False


GPT2 = PreTokenizer([_byte_level(use_regex=True)])
SMOLLM = PreTokenizer(
    [{"type": "Digits", "individual_digits": True}, _byte_level(use_regex=True)]
)
LLAMA3 = PreTokenizer(_split_by(LLAMA3_SPLIT), ignores_merges=True, adds_bos=True)
TEKKEN = PreTokenizer(_split_by(TEKKEN_SPLIT), ignores_merges=True, adds_bos=True)
QWEN2 = PreTokenizer(_split_by(QWEN2_SPLIT), normalizer={"type": "NFC"})
PRE_TOKENIZERS = {
    "gpt-2": GPT2,
    "smollm": SMOLLM,
    "llama-bpe": LLAMA3,
    "llama3": LLAMA3,
    "llama-v3": LLAMA3,
    "tekken": TEKKEN,
    "qwen2": QWEN2,
    "deepseek-r1-qwen": QWEN2,
}
# transformers splits the text of this architecture by its own rule, whatever
# a tokenizer.json says.
FIXED = {"qwen2": QWEN2}


def pre_tokenizer_of(metadata: Metadata) -> PreTokenizer:
    """Return how the file's model splits text.

    Raises:
        GGUFError: it is not known, or not what the architecture will be given.
    """
    name = metadata.text("tokenizer.ggml.pre", "none")
    if name not in PRE_TOKENIZERS:
        known = ", ".join(PRE_TOKENIZERS)
        raise GGUFError(f"pre-tokenizer {name} is not imported; {known} are")
    found = PRE_TOKENIZERS[name]
    architecture = metadata.text("general.architecture")
    if FIXED.get(architecture, found) is not found:
        raise GGUFError(f"pre-tokenizer {name} is not imported for {architecture}")
    return found


def byte_level_parts(
    metadata: Metadata, vocabulary: Mapping[str, int]
) -> dict[str, Any]:
    """Return the parts of a tokenizer.json that are this tokenizer's own.

    Raises:
        GGUFError: an unknown pre-tokenizer, or merges of what are no tokens.
    """
    found = pre_tokenizer_of(metadata)
    merges = [
        _checked(merge, vocabulary) for merge in metadata.texts("tokenizer.ggml.merges")
    ]
    return {
        "normalizer": found.normalizer,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": found.steps},
        "decoder": _byte_level(use_regex=True) | {"add_prefix_space": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": found.ignores_merges,
            "vocab": dict(vocabulary),
            "merges": merges,
        },
    }


def _checked(merge: str, vocabulary: Mapping[str, int]) -> list[str]:
    left, _, right = merge.partition(" ")
    for part in (left, right, left + right):
        if part not in vocabulary:
            raise GGUFError(f"merge {merge!r} has a part that is no token: {part!r}")
    return [left, right]
