"""Whether a model thinks and calls tools, by its chat template and its vocabulary.

The rules are mlx-lm's (`tokenizer_utils`), which is not imported here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from inference.library.configs import CONFIG_LIMIT_BYTES, read_object
from inference.library.errors import LibraryError
from inference.library.files import read_bounded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKENIZER_CONFIG = "tokenizer_config.json"
_TEMPLATE, _TEMPLATE_JSON = "chat_template.jinja", "chat_template.json"
_KEY = "chat_template"
# Large vocabularies take 35 MB.
_VOCABULARY_LIMIT_BYTES = 100 * 2**20
_PIECE_BYTES = 2**20
_OVERLAP_BYTES = 64
# Shorter than the overlap; a search for it is quicker than one for each token.
_QUOTED = re.compile(rb'"(<[^"\\\s]{1,50}>)"')
_VOCABULARIES = (
    *("tokenizer.json", TOKENIZER_CONFIG, "added_tokens.json"),
    "vocab.json",
)

_XTML = ("<|open|>", "<|close|>", "<|sep|>", "<|end_of_msg|>")
# Every one of a set has to be there.
_THINKING_TOKENS = (
    ("<think>", "</think>"),
    ("<longcat_think>", "</longcat_think>"),
    ("<|think:start|>", "<|think:end|>"),
    ("<|channel>", "<channel|>"),
    _XTML,
)
_THINKING_TEXTS = (("<think>", "</think>"),)
_CALL_TOKENS = (_XTML, ("<|tool_call_start|>", "<|tool_call_end|>"))
_CALL_TEXTS = (
    ("<minimax:tool_call>",),
    ("<|tool_call>", "<tool_call|>"),
    ("<start_function_call>",),
    ("<longcat_tool_call>",),
    ("<arg_key>",),
    ("<|tool_list_start|>",),
    ("<|tool_call_start|>",),
    ("<tool_call>\\n<function=",),
    ("<tool_call>\n<function=",),
    ("<|tool_calls_section_begin|>",),
    ('<function name="', '<param name="'),
    ("[TOOL_CALLS]",),
    ("<atem:function_calls>",),
    ("<tool_call>", "tool_call.name"),
)


def read_tokenizer_config(path: Path) -> dict[str, Any]:
    """Return the `tokenizer_config.json` in folder `path`, which need not be there.

    Raises:
        LibraryError: it cannot be read.
    """
    return _optional(path / TOKENIZER_CONFIG)


def marked_capabilities(path: Path, config: dict[str, Any]) -> tuple[str, ...]:
    """Return which of `tools` and `thinking` the model in folder `path` knows.

    `config` is its tokenizer's.

    Raises:
        LibraryError: its tokenizer's files cannot be read.
    """
    template, words = _template_of(path, config), Vocabulary(path)
    # Of several templates mlx-lm reads none for calls.
    one = template if isinstance(template, str) else ""
    found = []
    if (
        isinstance(config.get("tool_parser_type"), str)
        or _any_set(_CALL_TEXTS, one)
        or _any_set(_CALL_TOKENS, words)
    ):
        found.append("tools")
    written = _any_set(_THINKING_TEXTS, _all_text(template))
    if written or _any_set(_THINKING_TOKENS, words):
        found.append("thinking")
    return tuple(found)


class Vocabulary:
    """Answers `token in vocabulary` for tokens in angle brackets.

    A token is found as the JSON text it is in the tokenizer's files. These are long:
    they are read a piece at a time, so that no other thread waits, and not taken
    apart.
    """

    def __init__(self, path: Path) -> None:
        self._found: set[bytes] = set()
        for name in _VOCABULARIES:
            for piece in _pieces(path / name):
                self._found.update(_QUOTED.findall(piece))

    def __contains__(self, token: str) -> bool:
        return token.encode() in self._found


def _pieces(path: Path) -> Iterator[bytes]:
    """Yield a file's content; each piece begins with the end of the one before."""
    if not path.is_file():
        return
    tail = b""
    with path.open("rb") as file:
        for _ in range(_VOCABULARY_LIMIT_BYTES // _PIECE_BYTES):
            piece = file.read(_PIECE_BYTES)
            if not piece:
                return
            yield tail + piece
            tail = piece[-_OVERLAP_BYTES:]


def _template_of(path: Path, config: dict[str, Any]) -> Any:
    """Return the chat template: text, or a list of named ones; or anything else."""
    own_file = path / _TEMPLATE
    if own_file.is_file():
        content = read_bounded(own_file, limit_bytes=CONFIG_LIMIT_BYTES)
        return content.decode("utf-8", "replace")
    return config.get(_KEY) or _optional(path / _TEMPLATE_JSON).get(_KEY)


def _any_set(sets: tuple[tuple[str, ...], ...], found_in: str | Vocabulary) -> bool:
    return any(all(text in found_in for text in texts) for texts in sets)


def _all_text(template: Any) -> str:
    if isinstance(template, list):
        parts = (part.get("template") for part in template if isinstance(part, dict))
        return "\n".join(part for part in parts if isinstance(part, str))
    return template if isinstance(template, str) else ""


def _optional(path: Path) -> dict[str, Any]:
    """Return an object that need not be there."""
    if not path.is_file():
        return {}
    try:
        return read_object(path)
    except LibraryError as error:
        raise LibraryError(f"its tokenizer is broken: {error}") from None
