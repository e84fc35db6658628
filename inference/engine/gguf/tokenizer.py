"""The tokenizer inside a GGUF file, as the files a fast tokenizer loads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inference.engine.gguf.byte_level import byte_level_parts, pre_tokenizer_of
from inference.engine.gguf.header import GGUFError
from inference.engine.gguf.sentencepiece import sentencepiece_parts
from inference.engine.gguf.tokens import Tokens, tokens_of

if TYPE_CHECKING:
    from inference.engine.gguf.metadata import Metadata

BYTE_LEVEL, SENTENCEPIECE = "gpt2", "llama"


def tokenizer_files(metadata: Metadata, *, context_length: int) -> dict[str, Any]:
    """Return the contents of each file by its name.

    Raises:
        GGUFError: a kind of tokenizer that is not imported, or a damaged one.
    """
    kind = metadata.text("tokenizer.ggml.model", "none")
    if kind not in {BYTE_LEVEL, SENTENCEPIECE}:
        raise GGUFError(
            f"tokenizer {kind} is not imported; gpt2 (byte-level BPE) and "
            "llama (SentencePiece) are"
        )
    if kind == SENTENCEPIECE and metadata.text("general.architecture") == "qwen2":
        raise GGUFError(f"tokenizer {kind} is not imported for qwen2")
    tokens = tokens_of(metadata)
    frame = _frame(metadata, tokens, kind)
    return {
        "tokenizer.json": _tokenizer(metadata, tokens, kind, frame),
        "tokenizer_config.json": _config(metadata, tokens, context_length) | frame,
        "generation_config.json": _generation_config(tokens),
    }


def _frame(metadata: Metadata, tokens: Tokens, kind: str) -> dict[str, bool]:
    """Return which tokens a text is put between."""
    adds_bos = kind == SENTENCEPIECE or pre_tokenizer_of(metadata).adds_bos
    frame = {
        f"add_{name}_token": metadata.flag(
            f"tokenizer.ggml.add_{name}_token", default=default
        )
        for name, default in (("bos", adds_bos), ("eos", False))
    }
    if frame["add_bos_token"] and "bos_token" not in tokens.special:
        raise GGUFError("the file does not say which token begins a text")
    return frame


def _tokenizer(
    metadata: Metadata, tokens: Tokens, kind: str, frame: dict[str, bool]
) -> dict[str, Any]:
    vocabulary = tokens.vocabulary
    parts = (
        byte_level_parts(metadata, vocabulary)
        if kind == BYTE_LEVEL
        else sentencepiece_parts(metadata, vocabulary, tokens.types)
    )
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": tokens.added(),
        "post_processor": _post_processor(tokens, frame),
        **parts,
    }


def _post_processor(tokens: Tokens, frame: dict[str, bool]) -> dict[str, Any] | None:
    """Return what puts a text between its first and its last token."""
    bos, eos = (
        [name] if frame[f"add_{name}"] else [] for name in ("bos_token", "eos_token")
    )
    if not bos and not eos:
        return None
    ids = {tokens.texts[tokens.special[name]]: name for name in (*bos, *eos)}
    return {
        "type": "TemplateProcessing",
        "single": [
            *(_marker(tokens, name, 0) for name in bos),
            {"Sequence": {"id": "A", "type_id": 0}},
            *(_marker(tokens, name, 0) for name in eos),
        ],
        "pair": [
            *(_marker(tokens, name, 0) for name in bos),
            {"Sequence": {"id": "A", "type_id": 0}},
            *(_marker(tokens, name, 0) for name in eos),
            *(_marker(tokens, name, 1) for name in bos),
            {"Sequence": {"id": "B", "type_id": 1}},
            *(_marker(tokens, name, 1) for name in eos),
        ],
        "special_tokens": {
            text: {"id": text, "ids": [tokens.special[name]], "tokens": [text]}
            for text, name in ids.items()
        },
    }


def _marker(tokens: Tokens, name: str, part: int) -> dict[str, Any]:
    text = tokens.texts[tokens.special[name]]
    return {"SpecialToken": {"id": text, "type_id": part}}


def _generation_config(tokens: Tokens) -> dict[str, Any]:
    ends = tokens.ends
    config: dict[str, Any] = {"eos_token_id": ends[0] if len(ends) == 1 else list(ends)}
    for name in ("bos", "pad"):
        if f"{name}_token" in tokens.special:
            config[f"{name}_token_id"] = tokens.special[f"{name}_token"]
    return config


def _config(metadata: Metadata, tokens: Tokens, context_length: int) -> dict[str, Any]:
    config: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": context_length,
        "clean_up_tokenization_spaces": False,
        "add_prefix_space": False,
        **{name: tokens.texts[index] for name, index in tokens.special.items()},
    }
    if "tokenizer.chat_template" in metadata:
        config["chat_template"] = metadata.text("tokenizer.chat_template")
    return config
