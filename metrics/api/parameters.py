"""Query parameters: what is read from them, and what the document says of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from inference.core.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

LIMIT_DEFAULT, LIMIT_MOST = 100, 1000


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter; `schema` is its JSON schema."""

    name: str
    text: str
    schema: dict[str, Any] = field(default_factory=lambda: {"type": "string"})


LIMIT = Parameter(
    "limit",
    "Most to return.",
    {
        "type": "integer",
        "minimum": 1,
        "maximum": LIMIT_MOST,
        "default": LIMIT_DEFAULT,
    },
)
CURSOR = Parameter("cursor", "`next_cursor` of the page before; filters unchanged.")
ORDER = Parameter(
    "order",
    "Which come first.",
    {"type": "string", "enum": ["newest", "oldest"], "default": "newest"},
)


def read_limit(query: Mapping[str, str]) -> int:
    """Return the page's length."""
    text = query.get("limit", "") or str(LIMIT_DEFAULT)
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    if not 1 <= number <= LIMIT_MOST:
        raise InvalidRequestError(
            f"'limit' is a whole number from 1 to {LIMIT_MOST}.", param="limit"
        )
    return number


def read_choice(query: Mapping[str, str], parameter: Parameter) -> str:
    """Return one of the words that the parameter's schema names."""
    words: list[str] = parameter.schema["enum"]
    word = query.get(parameter.name, "") or str(parameter.schema["default"])
    if word not in words:
        raise InvalidRequestError(
            f"'{parameter.name}' is one of: {', '.join(words)}.", param=parameter.name
        )
    return word
