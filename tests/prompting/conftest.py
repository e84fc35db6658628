"""Tokenizers as mlx-lm makes them, with any chat template."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from mlx_lm.tokenizer_utils import load as load_tokenizer

from tests.models.make_thinker import write_tokenizer
from tests.templates.real import HERE, NotFetchedError, real_template

if TYPE_CHECKING:
    from pathlib import Path


class Dress(Protocol):
    def __call__(self, template: str, *, thinks: bool = False) -> Any: ...


def template_text(name: str) -> str:
    """Return a template by name: `mistral_like`, or `trl/gemma` of a real model."""
    if name.endswith("_like"):
        return (HERE / "like" / f"{name}.jinja").read_text(encoding="utf-8")
    try:
        return real_template(name)
    except NotFetchedError as error:
        pytest.skip(f"{error}; the one written after it is tested")


@pytest.fixture(scope="session")
def dress(tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Dress:
    """Return a tokenizer with the template of that name.

    `thinks`: it has a token for each tag of thinking.
    """
    thinker = tmp_path_factory.mktemp("thinker")
    write_tokenizer(tiny_model_dir, thinker)

    @cache
    def dressed(template: str, *, thinks: bool = False) -> Any:
        # Real templates expect a first token, which the tiny model has not.
        settings = {
            "chat_template": template_text(template),
            "bos_token": "<|endoftext|>",
        }
        return load_tokenizer(thinker if thinks else tiny_model_dir, settings)

    return dressed


@pytest.fixture
def inner(tiny_model_dir: Path) -> Any:
    """A tokenizer to give templates to."""
    return load_tokenizer(tiny_model_dir)
