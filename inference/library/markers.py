"""Whether a model thinks and calls tools, by its chat template and its vocabulary."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inference.dialects.clues import Clues
from inference.dialects.registry import dialect_of
from inference.dialects.thinking import tags_of
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
_QUOTED = re.compile(rb'"(<[^"\\\s]{1,50}>|\[[A-Z_/]{2,30}\])"')
_VOCABULARIES = (
    *("tokenizer.json", TOKENIZER_CONFIG, "added_tokens.json"),
    "vocab.json",
)


@dataclass(frozen=True, slots=True)
class Marks:
    """What a model's files show: `dialect` names how it calls tools, empty: not known.

    `names_tools`: its template reads tools, whoever reads the calls.
    """

    dialect: str = ""
    thinks: bool = False
    names_tools: bool = False

    @property
    def capabilities(self) -> tuple[str, ...]:
        """Which of `tools` and `thinking` it knows."""
        found = {"tools": bool(self.dialect), "thinking": self.thinks}
        return tuple(name for name, is_there in found.items() if is_there)


def read_tokenizer_config(path: Path) -> dict[str, Any]:
    """Return the `tokenizer_config.json` in folder `path`, which need not be there.

    Raises:
        LibraryError: it cannot be read.
    """
    return _optional(path / TOKENIZER_CONFIG)


def marks_of(path: Path, config: dict[str, Any]) -> Marks:
    """Return what the files of the model in folder `path` show.

    `config` is its tokenizer's.

    Raises:
        LibraryError: its tokenizer's files cannot be read.
    """
    template = _all_text(_template_of(path, config))
    clues = Clues(template, MarkerVocabulary(path).__contains__)
    dialect = dialect_of(clues)
    parser = config.get("tool_parser_type")
    name = parser if isinstance(parser, str) else ""
    names_tools = "tools" in template
    if dialect is not None and names_tools:
        name = dialect.name
    return Marks(dialect=name, thinks=bool(tags_of(clues)), names_tools=names_tools)


class MarkerVocabulary:
    """Answers `token in vocabulary` for tokens in brackets.

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
