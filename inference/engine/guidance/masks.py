"""Masks over a vocabulary: one bit per token, as llguidance fills them."""

from __future__ import annotations

import numpy as np

Mask = np.ndarray  # int32 words of 32 tokens each
ALL = np.int32(-1)


def allow_only(mask: Mask, tokens: tuple[int, ...]) -> None:
    """Let nothing but `tokens` through."""
    mask[:] = 0
    for token in tokens:
        allow(mask, token)


def allow(mask: Mask, token: int) -> None:
    """Let `token` through as well."""
    mask.view(np.uint32)[token // 32] |= np.uint32(1 << (token % 32))


def forbid(mask: Mask, token: int) -> None:
    """Keep `token` out."""
    mask.view(np.uint32)[token // 32] &= ~np.uint32(1 << (token % 32))


def allows(mask: Mask, token: int) -> bool:
    """Whether `token` is let through."""
    word, bit = divmod(token, 32)
    return word < len(mask) and bool(int(mask.view(np.uint32)[word]) >> bit & 1)
