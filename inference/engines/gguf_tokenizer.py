"""The tokenizer inside a GGUF file, as the files a fast tokenizer loads.

Only byte-level BPE with a pre-tokenizer that is known by name: a guessed one
would split numbers or spaces otherwise than the model was trained on.
"""

from __future__ import annotations

from typing import Any

from inference.engines.gguf_architectures import Metadata, required
from inference.engines.gguf_header import GGUFError

CONTROL = 3  # the token type of markers such as <|im_end|>

BYTE_LEVEL = {
    "type": "ByteLevel",
    "add_prefix_space": False,
    "trim_offsets": True,
    "use_regex": True,
}
PRE_TOKENIZERS = {
    "smollm": [{"type": "Digits", "individual_digits": True}, BYTE_LEVEL],
}
SPECIAL_TOKENS = {
    "bos_token": "tokenizer.ggml.bos_token_id",
    "eos_token": "tokenizer.ggml.eos_token_id",
    "unk_token": "tokenizer.ggml.unknown_token_id",
    "pad_token": "tokenizer.ggml.padding_token_id",
}


def tokenizer_files(metadata: Metadata, *, context_length: int) -> dict[str, Any]:
    """Return the contents of each file by its name.

    Raises:
        GGUFError: a kind of tokenizer that is not imported.
    """
    model = metadata.get("tokenizer.ggml.model", "none")
    if model != "gpt2":
        raise GGUFError(f"tokenizer {model} is not imported; gpt2 (byte-level BPE) is")
    pre = metadata.get("tokenizer.ggml.pre", "none")
    if pre not in PRE_TOKENIZERS:
        known = ", ".join(PRE_TOKENIZERS)
        raise GGUFError(f"pre-tokenizer {pre} is not imported; {known} is")
    special = _special_ids(metadata)
    return {
        "tokenizer.json": _tokenizer(metadata, PRE_TOKENIZERS[pre]),
        "tokenizer_config.json": _config(metadata, special, context_length),
        "generation_config.json": {
            f"{name.removesuffix('_token')}_token_id": special[name]
            for name in ("bos_token", "eos_token", "pad_token")
            if name in special
        },
    }


def _special_ids(metadata: Metadata) -> dict[str, int]:
    size = len(required(metadata, "tokenizer.ggml.tokens"))
    found = {name: metadata.get(key) for name, key in SPECIAL_TOKENS.items()}
    special = {name: index for name, index in found.items() if index is not None}
    for name, index in special.items():
        if not 0 <= index < size:
            raise GGUFError(f"{name} {index} is not one of {size} tokens")
    if "eos_token" not in special:
        raise GGUFError("the file does not say which token ends a text")
    return special


def _tokenizer(metadata: Metadata, pre: list[dict[str, Any]]) -> dict[str, Any]:
    tokens = required(metadata, "tokenizer.ggml.tokens")
    types = required(metadata, "tokenizer.ggml.token_type")
    merges = required(metadata, "tokenizer.ggml.merges")
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            _added_token(index, text)
            for index, (text, kind) in enumerate(zip(tokens, types, strict=True))
            if kind == CONTROL
        ],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": pre},
        "post_processor": None,
        "decoder": BYTE_LEVEL | {"add_prefix_space": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {text: index for index, text in enumerate(tokens)},
            "merges": [merge.split(" ", 1) for merge in merges],
        },
    }


def _added_token(index: int, text: str) -> dict[str, Any]:
    return {
        "id": index,
        "content": text,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
        "special": True,
    }


def _config(
    metadata: Metadata, special: dict[str, int], context_length: int
) -> dict[str, Any]:
    tokens = metadata["tokenizer.ggml.tokens"]
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": context_length,
        "clean_up_tokenization_spaces": False,
        "add_prefix_space": False,
        "add_bos_token": bool(metadata.get("tokenizer.ggml.add_bos_token", False)),
        **{name: tokens[index] for name, index in special.items()},
    }
    template = metadata.get("tokenizer.chat_template")
    return config if template is None else config | {"chat_template": template}
