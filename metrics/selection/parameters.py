"""Query parameters: what is read from them, and what the API's document says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from inference.core.errors import InvalidRequestError
from metrics.selection.parsing import SelectionError, given

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class QueryParameter:
    """A query parameter; `schema` is its JSON schema."""

    name: str
    text: str
    schema: dict[str, Any] = field(default_factory=lambda: {"type": "string"})


def read_choice(params: Mapping[str, str], parameter: QueryParameter) -> str:
    """Read one of the words that the parameter's schema lists, or its default."""
    words = [str(word) for word in parameter.schema["enum"]]
    text = given(params, parameter.name)
    if not text:
        return str(parameter.schema.get("default", ""))
    if text not in words:
        raise SelectionError(parameter.name, f"must be one of {', '.join(words)}")
    return text


def check_names(params: Mapping[str, Any], known: set[str]) -> None:
    """Refuse parameters that are not known here.

    Raises:
        InvalidRequestError: the first of them, by its name.
    """
    for name in params:
        if name not in known:
            listed = ", ".join(sorted(known)) or "none"
            raise InvalidRequestError(
                f"Unknown parameter '{name[:100]}'. There are: {listed}.",
                param=name[:100],
                code="unknown_parameter",
            )
