"""Thinking and tools, found in a model's files before anything is loaded."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from mlx_lm import tokenizer_utils

from inference.library.errors import LibraryError
from inference.library.markers import marks_of, read_tokenizer_config

if TYPE_CHECKING:
    from pathlib import Path

HERMES = "{% if tools %}<tool_call>{{ tool_call.name }}</tool_call>{% endif %}"
TEMPLATES = [
    HERMES,
    "{{ tools }}<minimax:tool_call>",
    "{{ tools }}<|tool_call><tool_call|>",
    "{{ tools }}<|tool_call>",
    "{{ tools }}<start_function_call>",
    "{{ tools }}<longcat_tool_call>",
    "{{ tools }}<arg_key>",
    "{{ tools }}<|tool_list_start|>",
    "{{ tools }}<|tool_call_start|>",
    "{{ tools }}<tool_call>\\n<function=",
    "{{ tools }}<tool_call>\n<function=",
    "{{ tools }}<|tool_calls_section_begin|>",
    '{{ tools }}<function name="a"><param name="b">',
    '{{ tools }}<function name="a">',
    "{{ tools }}[TOOL_CALLS]",
    "{{ tools }}<atem:function_calls>",
    "{{ tools }}<tool_call>",
    "{{ tools }}",
]
VOCABULARIES: list[tuple[str, ...]] = [
    (),
    ("<think>", "</think>"),
    ("<think>",),
    ("<longcat_think>", "</longcat_think>"),
    ("<|think:start|>", "<|think:end|>"),
    ("<|channel>", "<channel|>"),
    ("<|open|>", "<|close|>", "<|sep|>", "<|end_of_msg|>"),
    ("<|tool_call_start|>", "<|tool_call_end|>"),
    ("<|tool_call_start|>",),
]


def capabilities(folder: Path) -> tuple[str, ...]:
    """Return what a tokenizer's files tell."""
    return marks_of(folder, read_tokenizer_config(folder)).capabilities


def put_tokenizer(folder: Path, *tokens: str, **config: Any) -> Path:
    """Write a tokenizer's files as Hugging Face's do."""
    vocabulary = {"a": 0, "<": 1, "think>": 2}
    added = [{"id": 10 + n, "content": token} for n, token in enumerate(tokens)]
    content = {"added_tokens": added, "model": {"type": "BPE", "vocab": vocabulary}}
    (folder / "tokenizer.json").write_text(json.dumps(content))
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_template_whose_tools_mlx_lm_knows_is_known(
    template: str, tmp_path: Path
) -> None:
    tokenizer = SimpleNamespace(chat_template=template, get_vocab=dict)
    parser = tokenizer_utils._infer_tool_parser(tokenizer)

    found = capabilities(put_tokenizer(tmp_path, chat_template=template))

    assert "tools" in found or parser is None


@pytest.mark.parametrize("tokens", VOCABULARIES)
def test_every_vocabulary_that_mlx_lm_knows_is_known(
    tokens: tuple[str, ...], tmp_path: Path
) -> None:
    tokenizer = SimpleNamespace(
        chat_template="{{ tools }}",
        get_vocab=lambda: dict.fromkeys(tokens, 1),
        encode=lambda text, add_special_tokens: [1],
    )
    thinks = tokenizer_utils._infer_thinking(tokenizer)[0] is not None
    calls = tokenizer_utils._infer_tool_parser(tokenizer) is not None

    found = capabilities(put_tokenizer(tmp_path, *tokens, chat_template="{{ tools }}"))

    assert ("thinking" in found) is thinks
    assert "tools" in found or not calls


@pytest.mark.parametrize("before", [2**20 - 9, 2**20 - 1, 2**20, 5_000_000])
def test_a_token_is_found_wherever_it_lies_in_a_long_file(
    before: int, tmp_path: Path
) -> None:
    (tmp_path / "tokenizer.json").write_text(" " * before + '"<think>" "</think>"')

    assert capabilities(tmp_path) == ("thinking",)


def test_a_template_that_spells_thinking_out_thinks(tmp_path: Path) -> None:
    template = "{{ '<think>' if enable_thinking else '<think></think>' }}"

    folder = put_tokenizer(tmp_path, chat_template=template)

    assert capabilities(folder) == ("thinking",)


def test_a_tokenizer_may_name_its_parser(tmp_path: Path) -> None:
    folder = put_tokenizer(
        tmp_path, chat_template="{{ tools }}", tool_parser_type="json_tools"
    )

    assert capabilities(folder) == ("tools",)


def test_the_file_of_the_template_comes_first(tmp_path: Path) -> None:
    folder = put_tokenizer(tmp_path, chat_template="{{ messages }}")
    (folder / "chat_template.jinja").write_text(HERMES)

    assert capabilities(folder) == ("tools",)


def test_of_several_templates_each_is_read(tmp_path: Path) -> None:
    named = [
        {"name": "default", "template": "<think></think>"},
        {"name": "tool_use", "template": HERMES},
        7,
    ]

    folder = put_tokenizer(tmp_path, chat_template=named)
    assert capabilities(folder) == ("tools", "thinking")


def test_a_template_may_lie_in_a_file_of_json(tmp_path: Path) -> None:
    put_tokenizer(tmp_path)
    assert capabilities(tmp_path) == ()

    (tmp_path / "chat_template.json").write_text(json.dumps({"chat_template": HERMES}))
    assert capabilities(tmp_path) == ("tools",)


def test_a_broken_tokenizer_is_named(tmp_path: Path) -> None:
    (tmp_path / "tokenizer_config.json").write_text("{")

    with pytest.raises(LibraryError, match=r"tokenizer is broken: tokenizer_config"):
        capabilities(tmp_path)
