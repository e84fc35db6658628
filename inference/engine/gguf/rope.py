"""What a GGUF file says about stretched positions, as a config's `rope_scaling`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from inference.engine.gguf.header import GGUFError

if TYPE_CHECKING:
    from inference.engine.gguf.metadata import Metadata

FACTORS = "rope_freqs.weight"
SCALING_KEYS = tuple(
    f"rope.scaling.{key}"
    for key in ("type", "factor", "attn_factor", "original_context_length", "finetuned")
)
# How Llama 3.1 and later stretch positions; only the factor differs among them.
LOW_FREQUENCY, HIGH_FREQUENCY, ORIGINAL_LENGTH = 1.0, 4.0, 8192
TOLERANCE = 1e-3


def scaling_from_keys(metadata: Metadata, prefix: str) -> dict[str, Any] | None:
    """Return the scaling that the metadata asks for; `None` is none.

    Raises:
        GGUFError: one that is not carried over.
    """
    keys = metadata.keys_under(f"{prefix}.rope.scaling.")
    if not keys:
        return None
    kind = metadata.text(f"{prefix}.rope.scaling.type", "linear")
    if kind == "none":
        return None
    if kind != "linear":
        raise GGUFError(f"rope scaling {kind} is not imported; linear is")
    if metadata.number(f"{prefix}.rope.scaling.attn_factor", 1.0) != 1.0:
        raise GGUFError(f"{prefix}.rope.scaling.attn_factor is not imported")
    factor = metadata.number(f"{prefix}.rope.scaling.factor")
    return {"type": "linear", "rope_type": "linear", "factor": factor}


def scaling_from_factors(
    factors: np.ndarray, *, head_dim: int, theta: float
) -> dict[str, Any] | None:
    """Return the scaling whose factor per frequency is `factors`; `None` is none.

    The file has only the result of Llama 3's rule: the rule is found again by
    computing it.

    Raises:
        GGUFError: the factors follow another rule.
    """
    if np.allclose(factors, 1.0, rtol=TOLERANCE):
        return None
    factor = float(factors.max())
    expected = _llama3_factors(factor, head_dim=head_dim, theta=theta)
    if factor < 1 or not np.allclose(factors, expected, rtol=TOLERANCE):
        raise GGUFError(f"{FACTORS} does not stretch positions as Llama 3 does")
    return {
        "rope_type": "llama3",
        "factor": round(factor, 3),
        "low_freq_factor": LOW_FREQUENCY,
        "high_freq_factor": HIGH_FREQUENCY,
        "original_max_position_embeddings": ORIGINAL_LENGTH,
    }


def _llama3_factors(factor: float, *, head_dim: int, theta: float) -> np.ndarray:
    """Return what each wave length is stretched by: short ones not, long ones fully."""
    wave_lengths = 2 * math.pi * theta ** (np.arange(0, head_dim, 2) / head_dim)
    turns = ORIGINAL_LENGTH / wave_lengths
    share = (turns - LOW_FREQUENCY) / (HIGH_FREQUENCY - LOW_FREQUENCY)
    between = 1 / ((1 - share) / factor + share)
    stretched = np.where(turns < LOW_FREQUENCY, factor, between)
    return np.where(turns > HIGH_FREQUENCY, 1.0, stretched)
