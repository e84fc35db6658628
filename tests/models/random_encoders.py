"""Small encoders with random weights, in the shapes of several architectures."""

from __future__ import annotations

import importlib
import json
from typing import TYPE_CHECKING, Any

import mlx.core as mx
from mlx.utils import tree_flatten
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from inference.core.encoders import code_for, is_scorer

if TYPE_CHECKING:
    from pathlib import Path

WORDS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "a",
    "the",
    "sea",
    "cat",
    "dog",
]
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
_BASE: dict[str, Any] = {
    "vocab_size": 32,
    "hidden_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 96,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
}
_DECODER: dict[str, Any] = {
    "num_key_value_heads": 2,
    "head_dim": 16,
    "rms_norm_eps": 1e-6,
    "rope_theta": 10000.0,
    "tie_word_embeddings": True,
}
SHAPES: dict[str, dict[str, Any]] = {
    "bert": {},
    "xlm-roberta": {"pad_token_id": 1, "type_vocab_size": 2},
    "modernbert": {
        "global_attn_every_n_layers": 2,
        "local_attention": 8,
        "global_rope_theta": 10000.0,
        "local_rope_theta": 1000.0,
        "norm_eps": 1e-5,
    },
    "qwen3": _DECODER,
    "gemma3_text": _DECODER
    | {
        "query_pre_attn_scalar": 16,
        "sliding_window": 512,
        "sliding_window_pattern": 2,
        "rope_local_base_freq": 10000.0,
        "rope_global_base_freq": 10000.0,
    },
    "llama_bidirec": _DECODER,
}


def write_random_encoder(
    target: Path,
    family: str = "bert",
    *,
    architecture: str = "AnyModel",
    pooling: str = "",
    has_unit_length: bool = True,
    **config: Any,
) -> Path:
    """Write weights, configuration and tokenizer; with a pooling, its files, too."""
    target.mkdir(parents=True)
    said = {"model_type": family, "architectures": [architecture]}
    said |= _BASE | SHAPES[family] | config
    _write(target / "config.json", said)
    _write_weights(target, said)
    _write_tokenizer(target)
    if pooling:
        _write_recipe(target, pooling, has_unit_length=has_unit_length)
    return target


def _write_weights(target: Path, said: dict[str, Any]) -> None:
    package = importlib.import_module(f"mlx_vlm.models.{code_for(said)}")
    kind = "SequenceClassificationModel" if is_scorer(said) else "Model"
    model = getattr(package, kind)(
        package.ModelConfig.from_dict(said | {"num_labels": 1})
    )
    mx.random.seed(5)
    weights = {
        name: mx.random.normal(array.shape) * (0.2 if array.ndim > 1 else 0.1)
        + (1.0 if "orm" in name and name.endswith("weight") else 0.0)
        for name, array in tree_flatten(model.parameters())
    }
    mx.save_safetensors(str(target / "model.safetensors"), weights)


def _write_tokenizer(target: Path) -> None:
    names = [*SPECIAL, *WORDS]
    words = {word: place for place, word in enumerate(names)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    tokenizer.save(str(target / "tokenizer.json"))
    named = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]"}
    said = {f"{name}_token": token for name, token in named.items()}
    said["tokenizer_class"] = "PreTrainedTokenizerFast"
    _write(target / "tokenizer_config.json", said)


def _write_recipe(target: Path, pooling: str, *, has_unit_length: bool) -> None:
    steps = ["Transformer", "Pooling", *(["Normalize"] if has_unit_length else [])]
    types = [{"type": f"sentence_transformers.models.{step}"} for step in steps]
    _write(target / "modules.json", types)
    (target / "1_Pooling").mkdir()
    _write(target / "1_Pooling" / "config.json", {f"pooling_mode_{pooling}": True})


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")
