"""SentencePiece BPE from a GGUF file (`llama`): merges found again from the scores.

SentencePiece joins the two neighbours whose piece has the best score, the leftmost
first. A fast tokenizer wants that as a list of merges, best first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inference.engine.gguf.header import GGUFError
from inference.engine.gguf.tokens import BYTE, CONTROL, NORMAL, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from inference.engine.gguf.metadata import Metadata

SPACE = "\u2581"
BYTE_PIECES = tuple(f"<0x{byte:02X}>" for byte in range(256))
# Templates of models that have this as one token write the space after it.
INSTRUCTION = "[INST]"

_REPLACE = {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}
_PREPEND = {"type": "Prepend", "prepend": SPACE}
_UNLESS_THERE = {
    "type": "Metaspace",
    "replacement": SPACE,
    "prepend_scheme": "always",
    "split": False,
}


def sentencepiece_parts(
    metadata: Metadata, vocabulary: Mapping[str, int], types: Sequence[int]
) -> dict[str, Any]:
    """Return the parts of a tokenizer.json that are this tokenizer's own.

    Raises:
        GGUFError: scores are missing, or text would be normalized in a way that
            is not carried over.
    """
    _refuse_normalizing(metadata)
    texts = list(vocabulary)
    scores = metadata.numbers("tokenizer.ggml.scores")
    if len(scores) != len(texts):
        raise GGUFError(f"{len(texts)} tokens have {len(scores)} scores")
    kinds = dict(zip(texts, types, strict=True))
    unknown = next((text for text, kind in kinds.items() if kind == UNKNOWN), None)
    return {
        **_spaces(metadata, kinds),
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": unknown,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": True,
            "byte_fallback": _has_bytes(kinds, has_unknown=unknown is not None),
            "ignore_merges": False,
            "vocab": dict(vocabulary),
            "merges": list(_merges(kinds, scores)),
        },
    }


def _merges(kinds: Mapping[str, int], scores: Sequence[float]) -> Iterator[list[str]]:
    """Yield each way to join two pieces into one, those of the best piece first.

    Equal scores keep the order of the file.
    """
    pieces = {text for text, kind in kinds.items() if kind == NORMAL}
    ranked = sorted(zip(scores, kinds, strict=True), key=lambda pair: -pair[0])
    for _, text in ranked:
        if text not in pieces:
            continue
        for cut in range(1, len(text)):
            left, right = text[:cut], text[cut:]
            if left in pieces and right in pieces:
                yield [left, right]


def _spaces(metadata: Metadata, kinds: Mapping[str, int]) -> dict[str, Any]:
    """Return how spaces become a visible sign, and back.

    A space is put before a text, and again after each special token, as
    SentencePiece does for each part of a conversation.
    """
    decoders: list[dict[str, Any]] = [
        {"type": "Replace", "pattern": {"String": SPACE}, "content": " "},
        {"type": "ByteFallback"},
        {"type": "Fuse"},
    ]
    # Older files of Gemma do not say that it has none.
    is_usual = not metadata.text("general.architecture").startswith("gemma")
    if not metadata.flag("tokenizer.ggml.add_space_prefix", default=is_usual):
        return {
            "normalizer": _REPLACE,
            "pre_tokenizer": None,
            "decoder": {"type": "Sequence", "decoders": decoders},
        }
    decoders.append({"type": "Strip", "content": " ", "start": 1, "stop": 0})
    is_written = kinds.get(INSTRUCTION) == CONTROL
    both = {"type": "Sequence", "normalizers": [_PREPEND, _REPLACE]}
    return {
        "normalizer": None if is_written else both,
        "pre_tokenizer": _UNLESS_THERE if is_written else None,
        "decoder": {"type": "Sequence", "decoders": decoders},
    }


def _has_bytes(kinds: Mapping[str, int], *, has_unknown: bool) -> bool:
    """Whether what is no piece is spelled in bytes; some way to spell it is needed."""
    found = sum(kinds.get(piece) == BYTE for piece in BYTE_PIECES)
    if found == len(BYTE_PIECES):
        return True
    if found or not has_unknown:
        raise GGUFError(f"the tokenizer has {found} of {len(BYTE_PIECES)} byte tokens")
    return False


def _refuse_normalizing(metadata: Metadata) -> None:
    if metadata.flag("tokenizer.ggml.remove_extra_whitespaces", default=False):
        raise GGUFError("tokenizer.ggml.remove_extra_whitespaces is not imported")
    if "tokenizer.ggml.precompiled_charsmap" in metadata:
        raise GGUFError("tokenizer.ggml.precompiled_charsmap is not imported")
