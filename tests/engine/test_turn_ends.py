"""A model whose files name no end token ends answers where its template ends turns."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from inference.engine.loading.text_model import TextModel, load_text_model
from tests.library.cast import put_model

if TYPE_CHECKING:
    from pathlib import Path

IM_END, END_OF_TEXT = 699, 697
FILES = ("config.json", "generation_config.json", "tokenizer_config.json")


def turns(end: str) -> str:
    """Return a template that writes `end` behind each turn."""
    head = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}"
    return head + end + "{% endfor %}"


def loaded(source: Path, folder: Path, template: str, **named: Any) -> TextModel:
    """Load the tiny model with another template; `named` says what names an end."""
    put_model(source, folder)
    for name in FILES:
        words = json.loads((folder / name).read_text())
        for key in ("eos_token_id", "eos_token"):
            words.pop(key, None)
        (folder / name).write_text(json.dumps(words | named.get(name[:-5], {})))
    path = folder / "tokenizer_config.json"
    words = json.loads(path.read_text()) | {"chat_template": template}
    path.write_text(json.dumps(words))
    return load_text_model(folder)


@pytest.mark.parametrize("end", ["<|im_end|>", "<|im_end|>\n", "\n<|im_end|>"])
def test_the_template_names_it(tiny_model_dir: Path, tmp_path: Path, end: str) -> None:
    text = loaded(tiny_model_dir, tmp_path / "m", turns(end))
    assert IM_END in text.eos_ids
    (note,) = text.load_notes
    assert "'<|im_end|>'" in note


@pytest.mark.parametrize(
    "template",
    [
        turns(""),
        turns("\n"),
        turns("</turn>"),
        "{% for m in messages %}{{ m.content }}{% if not loop.last %}<|im_start|>"
        "{% endif %}{% endfor %}",
        "{{ messages[0].content }}<|im_end|>",
    ],
)
def test_a_template_that_ends_turns_with_no_token_names_none(
    tiny_model_dir: Path, tmp_path: Path, template: str
) -> None:
    text = loaded(tiny_model_dir, tmp_path / "m", template)
    assert IM_END not in text.eos_ids
    assert text.load_notes == ()


@pytest.mark.parametrize(
    "named",
    [
        {"config": {"eos_token_id": END_OF_TEXT}},
        {"generation_config": {"eos_token_id": [END_OF_TEXT]}},
        {"tokenizer_config": {"eos_token": "<|endoftext|>"}},
    ],
)
def test_what_the_files_name_is_believed(
    tiny_model_dir: Path, tmp_path: Path, named: dict[str, Any]
) -> None:
    text = loaded(tiny_model_dir, tmp_path / "m", turns("<|im_end|>"), **named)
    assert IM_END not in text.eos_ids
    assert text.load_notes == ()
