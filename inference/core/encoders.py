"""Which code of mlx-vlm serves which encoder, by the words of its config."""

from __future__ import annotations

from typing import Any

# Model types of configs, and the name of the code that makes vectors of them.
_EMBEDDERS = {
    "bert": "bert",
    "gemma3_text": "gemma3_embedding",
    "lfm2": "lfm2_embedding",
    "llama_bidirec": "llama_bidirec",
    "ministral3": "ministral3_embedding",
    "modernbert": "modernbert",
    "qwen3": "qwen3_embedding",
    "xlm-roberta": "xlm_roberta",
}
# Those whose code scores pairs of texts, too.
_SCORERS = {name: _EMBEDDERS[name] for name in ("bert", "modernbert", "xlm-roberta")}
_SCORER = "ForSequenceClassification"


def architecture_named(config: dict[str, Any]) -> str:
    """Return the first of the architectures that a config names; empty: none."""
    named = config.get("architectures")
    return str(named[0]) if isinstance(named, list) and named else ""


def is_scorer(config: dict[str, Any]) -> bool:
    """Whether the model is a cross-encoder: it scores a pair of texts."""
    return architecture_named(config).endswith(_SCORER)


def code_for(config: dict[str, Any]) -> str:
    """Return the name of the code that serves an encoder; empty: there is none."""
    known = _SCORERS if is_scorer(config) else _EMBEDDERS
    return known.get(str(config.get("model_type")).replace("xlm_", "xlm-"), "")
