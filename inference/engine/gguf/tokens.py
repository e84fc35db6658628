"""The tokens of a GGUF file: their texts, their kinds, and which of them are special."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inference.engine.gguf.header import GGUFError

if TYPE_CHECKING:
    from inference.engine.gguf.metadata import Metadata

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)
SPECIAL_TOKENS = {
    "bos_token": "tokenizer.ggml.bos_token_id",
    "eos_token": "tokenizer.ggml.eos_token_id",
    "unk_token": "tokenizer.ggml.unknown_token_id",
    "pad_token": "tokenizer.ggml.padding_token_id",
}
# Keys of further tokens that end an answer, and the markers that end a turn
# where a file names none of them.
END_KEYS = ("tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id")
TURN_ENDS = (
    "<|eot_id|>",
    "<|eom_id|>",
    "<|im_end|>",
    "<|end|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "<|end_of_text|>",
)
# Markers that are control tokens, also where a file calls them normal ones.
MARKERS = frozenset(
    {
        *TURN_ENDS,
        "<|im_start|>",
        "<|start_header_id|>",
        "<|end_header_id|>",
        "<start_of_turn>",
    }
)
SPACE = "\u2581"


@dataclass(frozen=True, slots=True)
class Tokens:
    """All tokens in the order of their ids.

    `special` has the ids of the named ones, always the EOS token; `ends` all that
    end an answer, the EOS token first.
    """

    texts: list[str]
    types: list[int]
    special: dict[str, int]
    ends: tuple[int, ...]

    @property
    def vocabulary(self) -> dict[str, int]:
        """The id of each text, in the order of ids."""
        return {text: index for index, text in enumerate(self.texts)}

    def added(self) -> list[dict[str, Any]]:
        """Return the tokens that are found in a text before anything else is."""
        return [
            _added_token(index, self.texts[index], is_special=kind != USER_DEFINED)
            for index, kind in enumerate(self.types)
            if kind in {CONTROL, UNKNOWN, USER_DEFINED}
        ]


def tokens_of(metadata: Metadata) -> Tokens:
    """Return the file's tokens.

    Raises:
        GGUFError: they contradict each other, or none ends a text.
    """
    found = metadata.texts("tokenizer.ggml.tokens")
    told = metadata.wholes("tokenizer.ggml.token_type")
    if len(told) != len(found):
        raise GGUFError(f"{len(found)} tokens have {len(told)} types")
    types = [
        CONTROL if text in MARKERS and kind == NORMAL else kind
        for text, kind in zip(found, told, strict=True)
    ]
    texts = [
        _spelled(index, text, kind)
        for index, (text, kind) in enumerate(zip(found, types, strict=True))
    ]
    _refuse_twins(texts)
    special = _special_ids(metadata, len(texts))
    marked = [
        index
        for index, (text, kind) in enumerate(zip(texts, types, strict=True))
        if kind in {CONTROL, USER_DEFINED} and text in TURN_ENDS
    ]
    named = [_id_at(metadata, key, len(texts)) for key in END_KEYS if key in metadata]
    ends = tuple(dict.fromkeys([special["eos_token"], *named, *marked]))
    return Tokens(texts, types, special, ends)


def _spelled(index: int, text: str, kind: int) -> str:
    """Return a token as it stands in a text; an empty one never does."""
    if not text:
        return f"[EMPTY_{index}]"
    # Matched in the text itself, before spaces become visible signs.
    return text.replace(SPACE, " ") if kind == USER_DEFINED else text


def _refuse_twins(texts: list[str]) -> None:
    seen: set[str] = set()
    for text in texts:
        if text in seen:
            raise GGUFError(f"two tokens are {text!r}")
        seen.add(text)


def _special_ids(metadata: Metadata, size: int) -> dict[str, int]:
    special = {
        name: _id_at(metadata, key, size)
        for name, key in SPECIAL_TOKENS.items()
        if key in metadata
    }
    if "eos_token" not in special:
        raise GGUFError("the file does not say which token ends a text")
    return special


def _id_at(metadata: Metadata, key: str, size: int) -> int:
    index = metadata.whole(key, least=0)
    if index >= size:
        raise GGUFError(f"{key} {index} is not one of {size} tokens")
    return index


def _added_token(index: int, text: str, *, is_special: bool) -> dict[str, Any]:
    return {
        "id": index,
        "content": text,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
        "special": is_special,
    }
