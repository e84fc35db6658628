"""Text to train tokenizers on and to compare them by; importing one from a file."""

from __future__ import annotations

import argparse
import difflib
import inspect
import json.decoder
import random
import textwrap
from typing import TYPE_CHECKING, Any

import pytest
from mlx_lm import load

from inference.engine.gguf.convert import convert
from inference.engine.gguf.header import GGUFError
from tests.engine.gguf_models import random_model

if TYPE_CHECKING:
    from pathlib import Path

TRICKY = [
    "a",
    "Hello, world!",
    "I'd say we'LL see, they'Ve gone: it's John's",
    "In 1984 or 12345678 and ٣٤٥ or ½",
    "    four   three  two one ",
    "\tdef f(x):\n\t    return x  # ok\n\n\n",
    "\r\n \n  \n\n x \n",
    "Ein schöner Tag in Köln, ça va? Привет!",
    "東京は日本の首都です。 中文字符、标点",
    "🙂👩\u200d👩\u200d👧 x̂ cafe\u0301 ﬁ",
    "a\u00a0b\u3000c\u2003d",
    "CamelCaseHTTPServer snake_case kebab-case ===== ----- _____",
    "https://example.org/a?b=c&d=%20#e",
    '{"key": [1, 2.5e-7, null]}',
    "<tag> and </tag>",
]
FRAGMENTS = [
    *("a", "e", "the", "def ", "self.", "_", "-", "=", "0", "12", "(", ")", "'s"),
    *(" ", "  ", "    ", "\n", "\n\n", "\t", "é", "e\u0301", "東", "🙂", "\u00a0"),
]


# Runs of one character can be joined in several ways.
RUNS = [f"x{character * count}y" for character in " =-#" for count in range(1, 40)]


def corpus() -> list[str]:
    """Text to train on: prose, code and other scripts."""
    modules = (argparse, difflib, inspect, json.decoder, textwrap)
    lines = [
        line for module in modules for line in inspect.getsource(module).splitlines()
    ]
    return lines + TRICKY * 20 + RUNS * 5


def texts() -> list[str]:
    """The tricky texts, pieces of what was trained on, and pure noise."""
    choose = random.Random(3)
    whole = "\n".join(corpus())
    cuts = [choose.randrange(len(whole)) for _ in range(300)]
    noise = ["".join(choose.choices(FRAGMENTS, k=15)) for _ in range(300)]
    return [*TRICKY, *RUNS, *(whole[cut : cut + 100] for cut in cuts), *noise]


def imported(
    folder: Path, tokenizer: dict[str, Any], *, architecture: str = "llama"
) -> Any:
    """Write a model with this tokenizer, import it, and load it as mlx-lm does."""
    original = random_model(architecture, tokenizer=tokenizer)
    source = original.file.write(folder / "model.gguf")
    convert(source, folder / "model", dtype="float32")
    _, loaded, *_ = load(str(folder / "model"))
    return loaded


def refusal_of(
    folder: Path, tokenizer: dict[str, Any], *, architecture: str = "llama"
) -> str:
    """Return why a model with this tokenizer is not imported."""
    original = random_model(architecture, tokenizer=tokenizer)
    source = original.file.write(folder / "model.gguf")
    with pytest.raises(GGUFError) as refusal:
        convert(source, folder / "model", dtype="float32")
    assert not (folder / "model").exists()
    return str(refusal.value)


def assert_told_as_streamed(tokenizer: Any, text: str) -> None:
    """Text comes back whole, at once, token by token and as bytes."""
    tokens = tokenizer.encode(text, add_special_tokens=False)
    assert tokenizer.decode(tokens) == text
    detokenizer = tokenizer.detokenizer
    for token in tokens:
        detokenizer.add_token(token)
    detokenizer.finalize()
    assert detokenizer.text == text
