"""How many characters of a text one token can stand for."""

from __future__ import annotations

from typing import Any

# What a normalizer makes of a text, at the most shorter by this factor: composing
# puts up to four characters into one.
_SHRINKS_BY = {"NFC": 4, "NFKC": 4, "NFD": 1, "NFKD": 1, "Prepend": 1, "ByteLevel": 1}
_KEEPS_ALL = frozenset(("ByteLevel", "Metaspace", "Digits", "Split"))


def longest_token_chars(tokenizer: dict[str, Any]) -> int | None:
    """Return it for a tokenizer that was read from JSON; `None`: there is no bound.

    There is none where a part of a text may get lost or stand together with any
    number of others: taken out, or unknown, or blanks beside a token.
    """
    model = tokenizer["model"]
    added = tokenizer.get("added_tokens") or []
    shrinks_by = _shrinks_by(tokenizer.get("normalizer"))
    is_known = model.get("type") == "BPE" and (
        model.get("unk_token") is None
        or model.get("byte_fallback")
        or not model.get("fuse_unk")
    )
    takes_blanks = any(token["lstrip"] or token["rstrip"] for token in added)
    if not (is_known and shrinks_by and _keeps_all(tokenizer.get("pre_tokenizer"))):
        return None
    if takes_blanks:
        return None
    texts = (*model["vocab"], *(token["content"] for token in added))
    return shrinks_by * max(map(len, texts), default=1)


def _shrinks_by(normalizer: dict[str, Any] | None) -> int:
    """Return the factor; 0: nobody knows."""
    if normalizer is None:
        return 1
    if normalizer["type"] == "Sequence":
        factors = list(map(_shrinks_by, normalizer["normalizers"]))
        return max(factors, default=1) if all(factors) else 0
    if normalizer["type"] == "Replace":
        pattern = normalizer["pattern"].get("String")
        grows = pattern is not None and len(normalizer["content"]) >= len(pattern)
        return int(grows)
    return _SHRINKS_BY.get(normalizer["type"], 0)


def _keeps_all(pre_tokenizer: dict[str, Any] | None) -> bool:
    if pre_tokenizer is None:
        return True
    if pre_tokenizer["type"] == "Sequence":
        return all(map(_keeps_all, pre_tokenizer["pretokenizers"]))
    removes = pre_tokenizer.get("behavior") == "Removed"
    return pre_tokenizer["type"] in _KEEPS_ALL and not removes
