"""All dialects, and which of them a model writes.

A new one is a file in `families` and a line here; `docs/families.md` says how.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from inference.dialects.families import (
    apertus,
    apriel,
    command_r,
    command_r_plus,
    deepseek,
    dsml,
    firefunction,
    function_gemma,
    functionary,
    functionary_v3_2,
    gemma4,
    gigachat,
    glm,
    granite,
    harmony,
    hermes,
    hunyuan,
    kimi_k2,
    kimi_k3,
    lfm2,
    llama,
    longcat,
    minicpm5,
    minimax_m2,
    minimax_m3,
    mistral,
    muse,
    nemotron,
    olmo3,
    qwen3_coder,
    seed_oss,
    solar,
)

if TYPE_CHECKING:
    from inference.dialects.clues import Clues
    from inference.dialects.dialect import Dialect


class _Family(Protocol):
    """What a file in `families` holds."""

    DIALECT: Dialect

    def recognises(self, clues: Clues) -> bool:
        """Whether a model's template or vocabulary shows the dialect."""


# Those with marks of their own come before those whose marks others use as well.
_FAMILIES: tuple[_Family, ...] = (
    harmony,
    kimi_k3,
    kimi_k2,
    dsml,
    deepseek,
    minimax_m3,
    minimax_m2,
    seed_oss,
    muse,
    minicpm5,
    hunyuan,
    glm,
    qwen3_coder,
    functionary_v3_2,
    functionary,
    command_r,
    command_r_plus,
    apertus,
    nemotron,
    solar,
    gemma4,
    function_gemma,
    lfm2,
    longcat,
    olmo3,
    firefunction,
    gigachat,
    mistral,
    apriel,
    granite,
    hermes,
    llama,
)
# What an entry says of a model whose tools are to be explained in words.
IN_WORDS = "words"
# And of one that ships a description of its answers, which transformers follows.
SHIPPED = "response-template"
DIALECTS = {family.DIALECT.name: family.DIALECT for family in _FAMILIES}


def dialect_of(clues: Clues) -> Dialect | None:
    """Return the dialect that a model calls tools in, where one is recognised."""
    for family in _FAMILIES:
        if family.recognises(clues):
            return _as_written(family.DIALECT, clues)
    return None


def _as_written(dialect: Dialect, clues: Clues) -> Dialect:
    """Return a dialect with the form of calls that a template shows."""
    for text, form in dialect.variants:
        if clues.writes(text):
            return replace(dialect, form=form)
    return dialect
